-- The ledger of the border: what crossed between home and the regions, and what was refused. Nothing here refers to another
-- table: evidence outlives what it is about.

-- What crossed, one row a day (UTC), link, table and way. Sums only grow.
create table tenantry.border_days (
  day date not null,
  database_id int not null check (database_id > 0),
  direction text not null check (direction in ('directory', 'catalog')),
  table_name text not null check (char_length(table_name) between 1 and 63),
  -- Seeding reads with SELECT what was there before the stream began.
  way text not null check (way in ('stream', 'seed')),
  -- Where the tenant database was on that day.
  region_id uuid not null,
  region_key text not null check (char_length(region_key) between 1 and 40),
  rows bigint not null check (rows >= 0),
  bytes bigint not null check (bytes >= 0),
  -- By the clock of the process that counted.
  first_at timestamptz not null,
  last_at timestamptz not null check (last_at >= first_at),
  primary key (day, database_id, direction, table_name, way)
);

-- Attempts that were refused. Those of one kind from one address within seconds are one row.
create table tenantry.border_refusals (
  -- UUIDv7, made by the process that refused: the order of the list.
  id uuid primary key,
  at timestamptz not null default clock_timestamp(),
  first_at timestamptz not null,
  last_at timestamptz not null check (last_at >= first_at),
  attempts int not null check (attempts > 0),
  -- Null in this and the following: not known, or several, where a flood of attempts is counted in one row.
  address inet,
  database_id int check (database_id > 0),
  direction text check (direction in ('directory', 'catalog')),
  -- The name that was given: nobody has checked it.
  user_name text check (char_length(user_name) between 1 and 63),
  code text not null check (code in (
    'unknown-user', 'wrong-password', 'not-allowed-command', 'table-not-listed', 'column-not-listed', 'truncate', 'malformed',
    'too-many', 'row-refused', 'subscription-changed')),
  sentence text not null check (char_length(sentence) between 1 and 500)
);

-- For the owner of the tables too: whoever means to change the ledger has to change the schema first.
create function tenantry.refuse_ledger_change() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  raise exception 'the ledger of the border is append-only' using errcode = 'insufficient_privilege';
end $$;

create function tenantry.refuse_smaller_sums() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if (new.day, new.database_id, new.direction, new.table_name, new.way, new.region_id, new.region_key)
       is distinct from
     (old.day, old.database_id, old.direction, old.table_name, old.way, old.region_id, old.region_key)
     or new.rows < old.rows or new.bytes < old.bytes or new.first_at > old.first_at or new.last_at < old.last_at then
    raise exception 'the ledger of the border is append-only: its sums only grow' using errcode = 'insufficient_privilege';
  end if;
  return new;
end $$;

create trigger append_only before delete or truncate on tenantry.border_days
  for each statement execute function tenantry.refuse_ledger_change();
create trigger only_grow before update on tenantry.border_days
  for each row execute function tenantry.refuse_smaller_sums();
create trigger append_only before update or delete or truncate on tenantry.border_refusals
  for each statement execute function tenantry.refuse_ledger_change();
-- Also for a session that says it is a replica.
alter table tenantry.border_days enable always trigger append_only, enable always trigger only_grow;
alter table tenantry.border_refusals enable always trigger append_only;

-- The API shows the ledger to the operator and adds nothing to it.
do $$
declare
  api text := 'tenantry_' || (select id from tenantry.installation) || '_api';
begin
  execute format('grant select on tenantry.border_days, tenantry.border_refusals to %I', api);
end $$;
