-- The database itself keeps organizations apart. The API signs in with a role that owns nothing and sees the rows of one
-- organization: the one that is named in a setting for the time of one statement. Without it there are no rows.

-- The organization that the statement is for; null: none was named.
create function tenantry.scope() returns uuid language sql stable parallel safe
  return nullif(current_setting('tenantry.organization', true), '')::uuid;

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

create policy own_organization on tenantry.resources using (organization_id = tenantry.scope());
create policy own_organization on tenantry.comments using (organization_id = tenantry.scope());
create policy own_organization on tenantry.directory_organizations using (organization_id = tenantry.scope());
create policy own_organization on tenantry.directory_members using (organization_id = tenantry.scope());

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
  execute format('grant select on tenantry.identity, tenantry.directory_organizations, tenantry.directory_members to %I', api);
  execute format('grant select, insert on tenantry.resources, tenantry.comments to %I', api);
  execute format('grant insert on tenantry.catalog_changes to %I', api);
end $$;
