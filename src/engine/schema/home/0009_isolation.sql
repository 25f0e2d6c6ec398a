-- The API's role on each server: what its passwords are made of, encrypted. Null: not made yet.
alter table tenantry.installation add column api_secret bytea;

-- A database that placements share goes with the last of them. From this moment on it takes no more; another is made.
alter table tenantry.tenant_databases add column closing_at timestamptz;
create unique index tenant_databases_shared on tenantry.tenant_databases (region_id)
  where isolation = 'SHARED' and closing_at is null;

-- The API signs in with a role that owns nothing. Of the catalog and of the default organization's content it sees what the
-- caller may see, who is named in a setting for the time of one statement; without it there are no rows.
create function tenantry.viewer() returns text language sql stable parallel safe
  return nullif(current_setting('tenantry.viewer', true), '');

create function tenantry.may_see(organization_id uuid) returns boolean language sql stable parallel safe
  return case tenantry.viewer()
    when 'operator' then true
    else exists (select from tenantry.seats s
                 where s.organization_id = may_see.organization_id and s.holder_id = tenantry.viewer()::uuid) end;

-- Not forced on the catalog: a subscription's owner who is subject to row-level security may not write into it at all.
alter table tenantry.resources enable row level security;
alter table tenantry.comments enable row level security, force row level security;
create policy visible_to_viewer on tenantry.resources
  using ((select tenantry.viewer()) is not null
         and (organization_id is null or (select tenantry.viewer()) = 'operator' or tenantry.may_see(organization_id)))
  -- The catalog is replication's to write.
  with check ((select tenantry.viewer()) is not null and organization_id is null);
create policy visible_to_viewer on tenantry.comments using ((select tenantry.viewer()) is not null);
create policy all_for_owner on tenantry.comments to current_user using (true);

do $$
declare
  api text := 'tenantry_' || (select id from tenantry.installation) || '_api';
begin
  begin
    execute format('create role %I nologin', api);
  exception when duplicate_object or unique_violation then null;
  end;
  execute format('grant connect on database %I to %I', current_database(), api);
  execute format('grant usage on schema tenantry to %I', api);
  execute format('grant select, insert, update, delete on all tables in schema tenantry to %I', api);
  execute format('grant usage on all sequences in schema tenantry to %I', api);
  -- What it has no business with: the installation's secrets, what was migrated, what replication and triggers write.
  execute format('revoke all on tenantry.installation, tenantry.migrations from %I', api);
end $$;

-- The role that owns home's catalog subscriptions, and so the one that applies what regions send: it may write into the inbox,
-- and has no other right and no password. PostgreSQL 15 and 16 start no process for a role without LOGIN. The program calls
-- this at each start: a home that was restored on another server lacks the role there.
create function tenantry.ensure_inbox_role() returns void language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  inbox text := 'tenantry_' || (select id from tenantry.installation) || '_inbox';
begin
  if not exists (select from pg_roles where rolname = inbox) then
    begin
      execute format('create role %I login', inbox);
    exception when duplicate_object or unique_violation then null;
    end;
  end if;
  -- In its own name: what everybody may can be taken from everybody.
  if not exists (
    select from pg_database d, aclexplode(d.datacl) a
    where d.datname = current_database() and a.grantee = inbox::regrole and a.privilege_type = 'CONNECT'
  ) then
    execute format('grant connect on database %I to %I', current_database(), inbox);
  end if;
  if not has_schema_privilege(inbox, 'tenantry_inbox', 'usage') then
    execute format('grant usage on schema tenantry_inbox to %I', inbox);
  end if;
  if exists (
    select from pg_class c, unnest('{select,insert,update,delete}'::text[]) as wanted (privilege)
    where c.relnamespace = 'tenantry_inbox'::regnamespace and c.relkind in ('r', 'p')
      and not has_table_privilege(inbox, c.oid, wanted.privilege)
  ) then
    execute format('grant select, insert, update, delete on all tables in schema tenantry_inbox to %I', inbox);
  end if;
  -- A role that is no superuser hands a subscription over only to a role that it can be, and changes it only with that role's
  -- rights. Before 16 a membership has no options.
  if not pg_has_role(current_user, inbox, 'usage') or
     (current_setting('server_version_num')::int >= 160000 and not pg_has_role(current_user, inbox, 'set')) then
    execute format('grant %I to %I%s', inbox, current_user,
      case when current_setting('server_version_num')::int >= 160000 then ' with inherit true, set true' end);
  end if;
end $$;
select tenantry.ensure_inbox_role();

-- Large objects are outside of row-level security, and every role may make some. Only a superuser can change that.
do $$
declare
  maker regprocedure;
begin
  if (select rolsuper from pg_roles where rolname = current_user) then
    for maker in select oid from pg_proc where pronamespace = 'pg_catalog'::regnamespace
                 and proname in ('lo_creat', 'lo_create', 'lo_from_bytea') loop
      execute format('revoke execute on function %s from public', maker);
    end loop;
  end if;
end $$;

-- By default every role may make temporary tables here, and where the database was once of PostgreSQL 14 or older also tables
-- in the schema public. Only the owner can change that, or a superuser.
do $$ begin
  if pg_has_role((select datdba from pg_database where datname = current_database()), 'usage') then
    execute format('revoke temporary on database %I from public', current_database());
  end if;
  if pg_has_role((select nspowner from pg_namespace where nspname = 'public'), 'usage') then
    revoke create on schema public from public;
  end if;
end $$;
