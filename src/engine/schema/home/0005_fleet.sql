-- What is known of each tenant database's schema. The truth is in the databases themselves; this is what was last seen.

-- Hash of its schema, by the last look and the migrations since; null: as it was made from the template.
alter table tenantry.tenant_databases add column schema_fingerprint text;
alter table tenantry.tenant_databases add column migrated_at timestamptz;
-- Why the last attempt to migrate it did not succeed, in one sentence without secrets; null: it did.
alter table tenantry.tenant_databases add column migration_failure text;
alter table tenantry.tenant_databases add column migration_failed_at timestamptz;
-- Set while a migration changes which columns flow: only columns of both versions are published meanwhile.
alter table tenantry.tenant_databases add column migrating_to int;

-- Whoever remembers where a placement is must hear that its schema is another one.
create function tenantry.schema_version_notify() returns trigger language plpgsql as $$
begin
  perform pg_notify('tenantry_placement', p.id::text) from tenantry.placements p where p.database_id = new.id;
  return null;
end $$;
create trigger schema_version_notify after update of schema_version on tenantry.tenant_databases
  for each row when (old.schema_version is distinct from new.schema_version)
  execute function tenantry.schema_version_notify();
