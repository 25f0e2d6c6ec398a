-- On which history of which server a link was seeded, to recognise a server that was promoted or restored since: also when
-- its WAL has grown beyond where it was before.

-- System identifier and timeline of both servers, read before the link's slot was made. Null: nobody knows, or a server went
-- back since. Written when a link is seeded and at no other time: carrying proves nothing about what a server has forgotten.
alter table tenantry.links
  add column home_history text check (home_history ~ '^-?\d{1,19}/[0-9A-F]{8}$'),
  add column region_history text check (region_history ~ '^-?\d{1,19}/[0-9A-F]{8}$');

-- How far a region's WAL was flushed when its links were last swept. A server that is behind it was restored. Not with the
-- region, whose changes are announced to every process.
create table tenantry.region_positions (
  region_id uuid primary key references tenantry.regions on delete cascade,
  wal_position pg_lsn not null
);

-- Home's own, when a program last started with it. On another one the numbers that were given last may be forgotten.
alter table tenantry.installation add column home_history text;
