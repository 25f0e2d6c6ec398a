-- Which transactions changed what is published to the catalog. Written by triggers, so it knows of writes made by
-- hand too; the sweep compares it with what it has carried and takes the old rows away.
create table tenantry.catalog_changes (
  id bigint generated always as identity primary key
);

create function tenantry.note_catalog_change() returns trigger language plpgsql as $$
begin
  if exists (select from changed_rows) then
    insert into tenantry.catalog_changes default values;
  end if;
  return null;
end $$;
create trigger note_insert after insert on tenantry.resources
  referencing new table as changed_rows for each statement execute function tenantry.note_catalog_change();
create trigger note_update after update on tenantry.resources
  referencing new table as changed_rows for each statement execute function tenantry.note_catalog_change();
create trigger note_delete after delete on tenantry.resources
  referencing old table as changed_rows for each statement execute function tenantry.note_catalog_change();

-- TRUNCATE is not published, so it would leave the catalog with rows that are gone: delete them instead.
create function tenantry.refuse_truncate() returns trigger language plpgsql as $$
begin
  raise exception 'resources cannot be truncated: use delete' using errcode = 'feature_not_supported';
end $$;
create trigger refuse_truncate before truncate on tenantry.resources
  for each statement execute function tenantry.refuse_truncate();
