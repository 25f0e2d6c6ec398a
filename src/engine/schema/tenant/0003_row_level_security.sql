-- The database itself keeps organizations apart. The API signs in with a role that owns nothing and sees the rows of one
-- organization: the one that is named in a setting for the time of one statement. Without it there are no rows.

-- Whom the statement is for, as "<organization>/<number of the placement>"; null: nobody was named.
create function tenantry.scope_organization() returns uuid language sql stable parallel safe
  return nullif(split_part(current_setting('tenantry.scope', true), '/', 1), '')::uuid;
create function tenantry.scope_placement() returns int language sql stable parallel safe
  return nullif(split_part(current_setting('tenantry.scope', true), '/', 2), '')::int;

-- Placements that take no more rows, as what they had is being deleted: a process that has not heard of it yet, or a
-- statement that was under way, must not leave something behind. Numbers are never given twice, so these stay.
create table tenantry.closed_placements (
  number int primary key,
  closed_at timestamptz not null default now()
);

-- A comment belongs to the organization of its resource, whoever writes it.
alter table tenantry.resources
  add constraint resources_organization_key unique (organization_id, id, database_id);
drop index tenantry.resources_organization_id;
alter table tenantry.comments
  drop constraint comments_database_id_resource_id_fkey,
  add constraint comments_resource_fkey foreign key (organization_id, resource_id, database_id)
    references tenantry.resources (organization_id, id, database_id) on delete cascade;

alter table tenantry.resources enable row level security, force row level security;
alter table tenantry.comments enable row level security, force row level security;
-- Not forced: a subscription's owner who is subject to row-level security may not write into the table at all.
alter table tenantry.directory_organizations enable row level security;
alter table tenantry.directory_members enable row level security;

-- In sub-selects, so that the setting is read once for a statement and not for each row.
create policy own_organization on tenantry.resources using (organization_id = (select tenantry.scope_organization()))
  with check (
    organization_id = (select tenantry.scope_organization())
    and not exists (select from tenantry.closed_placements where number = (select tenantry.scope_placement())));
create policy own_organization on tenantry.comments using (organization_id = (select tenantry.scope_organization()))
  with check (
    organization_id = (select tenantry.scope_organization())
    and not exists (select from tenantry.closed_placements where number = (select tenantry.scope_placement())));
create policy own_organization on tenantry.directory_organizations
  using (organization_id = (select tenantry.scope_organization()));
create policy own_organization on tenantry.directory_members
  using (organization_id = (select tenantry.scope_organization()));

-- Replication, exports and migrations work on whole databases. Who migrates is the owner.
create policy all_for_owner on tenantry.resources to current_user using (true);
create policy all_for_owner on tenantry.comments to current_user using (true);

-- The API's role, named by the program that migrates: it is one per installation and server. It gets its password later.
do $$
declare
  api text := current_setting('tenantry.api_role');
begin
  begin
    execute format('create role %I nologin', api);
  exception when duplicate_object or unique_violation then null;
  end;
  execute format('grant connect on database %I to %I', current_database(), api);
  execute format('grant usage on schema tenantry to %I', api);
  execute format('grant select on tenantry.identity, tenantry.closed_placements, tenantry.directory_organizations,
    tenantry.directory_members to %I', api);
  execute format('grant select, insert on tenantry.resources, tenantry.comments to %I', api);
  execute format('grant insert on tenantry.catalog_changes to %I', api);
end $$;

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
