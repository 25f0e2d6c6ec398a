-- The audit log: who did what to what, when, from where, with which outcome. Ids only: no names, texts, addresses of letters
-- or secrets. Nothing here refers to another table: entries outlive what they are about.
create table tenantry.audit_log (
  -- UUIDv7, made by the process that wrote the entry: the order of the log, also across databases.
  id uuid primary key,
  -- By this database's clock.
  at timestamptz not null default clock_timestamp(),
  -- Whom it concerns besides the operator; null: nobody, or not known when it began.
  organization_id uuid,
  placement_id uuid,
  who text not null check (who in ('OPERATOR', 'USER', 'KEY')),
  -- The user or the key; of an operator the key, or the subject of the token.
  who_id text check (char_length(who_id) <= 255),
  via text not null check (via in ('DEVELOPMENT', 'KEY', 'TOKEN', 'COMMAND_LINE')),
  address inet,
  user_agent text check (char_length(user_agent) <= 200),
  action text not null check (char_length(action) between 1 and 60),
  subject_kind text check (char_length(subject_kind) between 1 and 40),
  subject_id text check (char_length(subject_id) between 1 and 60),
  -- OK or the code of the error, where it was known when the entry was written. Null: a line of audit_outcomes says it, and
  -- while there is none nobody knows.
  outcome text check (char_length(outcome) between 1 and 40)
);
create index audit_log_organization_id on tenantry.audit_log (organization_id, id) where organization_id is not null;

-- How what an entry says was begun has ended, and what was known only then. One for each entry, never two.
create table tenantry.audit_outcomes (
  entry_id uuid primary key,
  at timestamptz not null default clock_timestamp(),
  outcome text not null check (char_length(outcome) between 1 and 40),
  organization_id uuid,
  placement_id uuid,
  subject_id text check (char_length(subject_id) between 1 and 60)
);
create index audit_outcomes_organization_id on tenantry.audit_outcomes (organization_id, entry_id)
  where organization_id is not null;

-- Append-only, for the owner of the tables too: whoever means to change the log has to change the schema first.
create function tenantry.refuse_audit_change() returns trigger language plpgsql as $$
begin
  raise exception 'the audit log is append-only' using errcode = 'insufficient_privilege';
end $$;
create trigger append_only before update or delete or truncate on tenantry.audit_log
  for each statement execute function tenantry.refuse_audit_change();
create trigger append_only before update or delete or truncate on tenantry.audit_outcomes
  for each statement execute function tenantry.refuse_audit_change();
-- Also for a session that says it is a replica.
alter table tenantry.audit_log enable always trigger append_only;
alter table tenantry.audit_outcomes enable always trigger append_only;

-- The API writes entries and reads them, and can do nothing else with them.
do $$
declare
  api text := 'tenantry_' || (select id from tenantry.installation) || '_api';
begin
  execute format('grant select, insert on tenantry.audit_log, tenantry.audit_outcomes to %I', api);
end $$;
