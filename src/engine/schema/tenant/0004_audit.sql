-- The audit log of what is written here: it stays beside the rows it is about. Written in the same statement as they are, so
-- that neither can be without the other; hence there is no outcome. No publication names it. Columns as at home, but without its
-- checks: every write would pay for them, and only one statement writes here.
create table tenantry.audit_log (
  id uuid not null,
  at timestamptz not null default clock_timestamp(),
  database_id int not null,
  organization_id uuid not null,
  who text not null,
  who_id text,
  via text not null,
  address inet,
  user_agent text,
  action text not null,
  subject_kind text not null,
  subject_id uuid not null,
  -- One index for what is read: an organization's newest. Every write pays for it.
  primary key (organization_id, id)
);

create function tenantry.refuse_audit_change() returns trigger language plpgsql as $$
begin
  raise exception 'the audit log is append-only' using errcode = 'insufficient_privilege';
end $$;
create trigger append_only before update or delete or truncate on tenantry.audit_log
  for each statement execute function tenantry.refuse_audit_change();
alter table tenantry.audit_log enable always trigger append_only;

alter table tenantry.audit_log enable row level security, force row level security;
create policy own_organization on tenantry.audit_log
  using (organization_id = (select tenantry.scope_organization()));
create policy all_for_owner on tenantry.audit_log to current_user using (true);

-- The API writes entries and reads them, and can do nothing else with them.
do $$ begin
  execute format('grant select, insert on tenantry.audit_log to %I', current_setting('tenantry.api_role'));
end $$;
