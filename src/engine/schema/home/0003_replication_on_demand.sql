-- What replication on demand keeps at home: how each link is doing, and which directories have changed.

-- One row per flow of a tenant database; written by whoever carries it. The truth is in the servers' own
-- catalogs, this is what was last seen of it.
create table tenantry.links (
  database_id int not null references tenantry.tenant_databases on delete cascade,
  direction text not null check (direction in ('directory', 'catalog')),
  -- Everything committed before this moment has arrived.
  carried_at timestamptz,
  -- Since when something is known to wait that has not arrived; null: nothing known.
  waiting_since timestamptz,
  -- When it was last proved that nothing waits, also of writes made outside the API.
  checked_at timestamptz not null default now(),
  -- What is wrong and what to do, in one sentence without secrets; null: nothing.
  failure text,
  failed_at timestamptz,
  failures int not null default 0,
  primary key (database_id, direction)
);
create index links_waiting on tenantry.links (database_id) where waiting_since is not null;

-- Databases whose directory has changed since it was last carried. Written by triggers, so it knows of writes made
-- by hand too, and stays until the change has arrived: a nudge that is lost is found here. Insert only: two
-- transactions that touch the same databases in another order must not wait for each other.
create table tenantry.directory_changes (
  id bigint generated always as identity primary key,
  database_id int not null
);
create index directory_changes_database_id on tenantry.directory_changes (database_id, id);

create function tenantry.note_directory_change() returns trigger language plpgsql as $$
declare
  changed int;
begin
  for changed in select distinct database_id from changed_rows loop
    insert into tenantry.directory_changes (database_id) values (changed);
    perform pg_notify('tenantry_nudge', changed || ' directory');
  end loop;
  return null;
end $$;
create trigger note_insert after insert on tenantry.directory_organizations
  referencing new table as changed_rows for each statement execute function tenantry.note_directory_change();
create trigger note_update after update on tenantry.directory_organizations
  referencing new table as changed_rows for each statement execute function tenantry.note_directory_change();
create trigger note_delete after delete on tenantry.directory_organizations
  referencing old table as changed_rows for each statement execute function tenantry.note_directory_change();
create trigger note_insert after insert on tenantry.directory_members
  referencing new table as changed_rows for each statement execute function tenantry.note_directory_change();
create trigger note_update after update on tenantry.directory_members
  referencing new table as changed_rows for each statement execute function tenantry.note_directory_change();
create trigger note_delete after delete on tenantry.directory_members
  referencing old table as changed_rows for each statement execute function tenantry.note_directory_change();

-- A person whose name and e-mail address were replaced on request.
alter table tenantry.users add column erased_at timestamptz;
