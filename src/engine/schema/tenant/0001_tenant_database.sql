-- A tenant database: which one it is, the directory that home sends, who may see what, and the log of what was done here.

-- One row, written when the database is made from the template: which tenant database this is.
create table tenantry.identity (
  installation_id text not null,
  database_id int not null,
  one_row boolean primary key default true check (one_row)
);

-- The API's role, named by the program that migrates: it is one per installation and server. It gets its password later.
create function tenantry.api_role() returns text language sql stable
  return current_setting('tenantry.api_role');

-- The database itself keeps organizations apart. The API signs in with a role that owns nothing and sees the rows of one
-- organization: the one that is named in a setting for the time of one statement. Without it there are no rows.

-- Whom the statement is for, as "<organization>/<number of the placement>", with "/<actor>" behind it where a team's program sends
-- it; null: nobody was named.
create function tenantry.scope_organization() returns uuid language sql stable parallel safe
  return nullif(split_part(current_setting('tenantry.scope', true), '/', 1), '')::uuid;
create function tenantry.scope_placement() returns int language sql stable parallel safe
  return nullif(split_part(current_setting('tenantry.scope', true), '/', 2), '')::int;

-- Placements that take no writes, whatever a process has heard: for a moment, while the placement moves to another database, or for
-- good, as what it had is being deleted or is elsewhere. Numbers are never given twice, so those that are closed for good stay.
create table tenantry.closed_placements (
  number int primary key,
  closed_at timestamptz not null default clock_timestamp(),
  -- Null: for good. A moment ends by itself, so that nobody is kept out when whoever closed it has died.
  until timestamptz
);

-- How many times something was closed here, and the same outside of all transactions: one whose snapshot is older than the last
-- closing sees an older number than was told (engine/moves/hold.ts). It cannot see what was closed, so it must not write.
create table tenantry.closings (
  number bigint not null,
  one_row boolean primary key default true check (one_row)
);
insert into tenantry.closings (number) values (0);
create sequence tenantry.closings_told minvalue 0 start 0;

-- Whether the placement that the statement is for takes writes; else an error with the SQLSTATE TNCLS, by which whoever writes knows
-- that nothing has happened. It holds a lock that nobody waits for: whoever closes a placement sees by it which of its writers are
-- under way, and waits for no one else's. Volatile, so that it sees what was closed after the statement began.
-- Some 7 µs of CPU for a statement.
create function tenantry.takes_writes() returns boolean language plpgsql as $$
declare
  placement int := tenantry.scope_placement();
begin
  if not pg_catalog.pg_try_advisory_xact_lock_shared(7365011, placement)
    or exists (select from tenantry.closed_placements c
               where c.number = placement and (c.until is null or c.until > pg_catalog.clock_timestamp()))
    or pg_catalog.current_setting('transaction_isolation') <> 'read committed'
      and (select t.last_value from tenantry.closings_told t) > (select c.number from tenantry.closings c)
  then
    raise exception 'this database takes no writes of placement % now', placement using errcode = 'TNCLS';
  end if;
  return true;
end $$;

-- What a placement's stream is asked with, while it moves: a mark that is written here is there when everything before it is.
create table tenantry.move_marks (
  number int not null,
  mark bigint not null,
  primary key (number, mark)
);

-- The organizations placed here and their members. Home's tables of these names have the same bounds: what home sends is never
-- refused here, which would halt the subscription.
create table tenantry.directory_organizations (
  database_id int not null,
  organization_id uuid not null,
  name text not null check (char_length(name) between 1 and 200),
  created_at timestamptz not null check (tenantry.is_moment(created_at)),
  primary key (database_id, organization_id)
);
create table tenantry.directory_members (
  database_id int not null,
  organization_id uuid not null,
  user_id uuid not null,
  role text not null check (char_length(role) between 1 and 20),
  joined_at timestamptz not null check (tenantry.is_moment(joined_at)),
  name text not null check (char_length(name) between 1 and 200),
  email text not null check (char_length(email) between 3 and 320),
  user_created_at timestamptz not null check (tenantry.is_moment(user_created_at)),
  primary key (database_id, organization_id, user_id)
);
select tenantry.directory('tenantry.directory_organizations', '{database_id,organization_id,name,created_at}');
select tenantry.directory('tenantry.directory_members',
  '{database_id,organization_id,user_id,role,joined_at,name,email,user_created_at}');

-- Idempotent apply: a copy or a replay sends rows that are already here. An insert onto an existing key would halt the
-- subscription; the newer row replaces the older instead. Fires for replication only.
create function tenantry.replace_organization() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp set standard_conforming_strings = on as $$
begin
  delete from tenantry.directory_organizations
    where database_id = new.database_id and organization_id = new.organization_id;
  return new;
end $$;
create trigger replace_organization before insert on tenantry.directory_organizations
  for each row execute function tenantry.replace_organization();
alter table tenantry.directory_organizations enable replica trigger replace_organization;

create function tenantry.replace_member() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp set standard_conforming_strings = on as $$
begin
  delete from tenantry.directory_members
    where database_id = new.database_id and organization_id = new.organization_id and user_id = new.user_id;
  return new;
end $$;
create trigger replace_member before insert on tenantry.directory_members
  for each row execute function tenantry.replace_member();
alter table tenantry.directory_members enable replica trigger replace_member;

-- Not forced: a subscription's owner who is subject to row-level security may not write into the table at all.
alter table tenantry.directory_organizations enable row level security;
alter table tenantry.directory_members enable row level security;
create policy own_organization on tenantry.directory_organizations
  using (organization_id = (select tenantry.scope_organization()));
create policy own_organization on tenantry.directory_members
  using (organization_id = (select tenantry.scope_organization()));

-- Whose erasures were begun and done here. Ids alone: a name or an address was never in it. It is here so that a home which is
-- restored from a backup learns of the erasures since, and so that home sees when this database was restored. The API's role has
-- no right on it.
create table tenantry.erasures (
  user_id uuid primary key,
  -- The erasure's own id, a UUIDv7: its moment is in it.
  id uuid not null,
  -- Null: begun, and not done yet.
  done_at timestamptz,
  -- By a secret of home: whoever administers this server cannot make home erase somebody.
  proof bytea not null
);

-- Which transactions changed what is published to the catalog. Written by triggers, so it knows of writes made by hand too;
-- the sweep compares it with what it has carried and takes the old rows away.
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

-- What is copied for a move comes from another server, which is not trusted: it could send rows of others. Whoever copies says in
-- tenantry.copying of which organization and for which database, as "<organization>/<number of the database>".
create function tenantry.refuse_copied_row() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp set standard_conforming_strings = on as $$
begin
  raise exception 'a row of another organization or database was sent for %.%', tg_table_schema, tg_table_name
    using errcode = 'check_violation';
end $$;

-- Readies a table for moves of placements to other databases. What a move's stream is filtered by must be in the table's replica
-- identity, and where the table flows to the catalog, what that one's is filtered by too: an index for it is made where none is there.
-- A row that is sent and is here already is replaced. Whoever copies many rows at once sets tenantry.copying, and pays nothing for it.
create function tenantry.apply_moves(declared regclass, flows boolean) returns void language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  bare text := (select relname from pg_class where oid = declared);
  made text := bare || '_identity_key';
  wanted text[] := case when flows then '{id,organization_id,database_id}' else '{id,organization_id}' end::text[];
  found record;
begin
  select x.indexrelid, x.indisprimary, x.indisreplident, i.relname into found
  from pg_index x join pg_class i on i.oid = x.indexrelid
  cross join lateral (
    select array_agg(a.attname::text) as names, bool_and(a.attnotnull) as filled
    from unnest(x.indkey::int[]) with ordinality as k (number, at)
    left join pg_attribute a on a.attrelid = x.indrelid and a.attnum = k.number
    where k.at <= x.indnkeyatts
  ) keys
  where x.indrelid = declared and x.indisunique and x.indisvalid and x.indimmediate and x.indpred is null
    and keys.filled and keys.names @> wanted and keys.names <@ '{id,organization_id,database_id}'
  order by i.relname = made, not x.indisprimary, i.relname limit 1;
  if found is null then
    execute format('drop index if exists app.%I', made);
    execute format('create unique index %I on %s (organization_id, id%s)', made, declared,
      case when (select attnotnull from pg_attribute where attrelid = declared and attname = 'database_id' and not attisdropped)
        then ', database_id' else '' end);
    execute format('alter table %s replica identity using index %I', declared, made);
  elsif found.indisprimary then
    execute format('alter table %s replica identity default', declared);
  else
    execute format('alter table %s replica identity using index %I', declared, found.relname);
  end if;
  execute format('create or replace function tenantry.%I() returns trigger language plpgsql
    set search_path = pg_catalog, pg_temp set standard_conforming_strings = on as %L', 'replace_in_' || bare,
    format(' begin delete from %s where organization_id = new.organization_id and id = new.id; return new; end ', declared));
  execute format('create or replace trigger replace_row before insert on %s for each row
    when (coalesce(current_setting(''tenantry.copying'', true), '''') = '''') execute function tenantry.%I()',
    declared, 'replace_in_' || bare);
  execute format('alter table %s enable replica trigger replace_row', declared);
  -- The condition alone decides, so that a row which may come costs no call.
  execute format('create or replace trigger only_copied before insert on %s for each row
    when (current_setting(''tenantry.copying'', true) <> ''''
          and current_setting(''tenantry.copying'', true) <> new.organization_id::text || ''/'' || new.database_id)
    execute function tenantry.refuse_copied_row()', declared);
  execute format('alter table %s enable always trigger only_copied', declared);
end $$;

-- After the table was dropped.
create function tenantry.forget_moves(name text) returns void language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  execute format('drop function tenantry.%I()', 'replace_in_' || substr(name, length('app.') + 1));
end $$;

-- Readies a table for publication to the catalog.
create function tenantry.apply_catalog(declared regclass, columns text[]) returns void language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  change text;
begin
  perform tenantry.apply_moves(declared, true);
  execute format('create or replace trigger own_rows_only before insert or update of database_id on %s
    for each row execute function tenantry.own_rows_only()', declared);
  execute format('create or replace trigger refuse_truncate before truncate on %s
    for each statement execute function tenantry.refuse_truncate()', declared);
  foreach change in array array['insert', 'update', 'delete'] loop
    execute format('create or replace trigger %I after %s on %s referencing %s table as changed_rows
      for each statement execute function tenantry.note_catalog_change()',
      'note_' || change, change, declared, case change when 'delete' then 'old' else 'new' end);
  end loop;
end $$;

-- Home alone lists.
create function tenantry.apply_catalog_orders(declared regclass, columns text[]) returns void language sql
  as $$ select $$;

-- The audit log of what is written here: it stays beside the rows it is about. Written in the same statement as they are, so
-- that neither can be without the other; hence there is no outcome. No publication names it. Columns as at home, but without
-- its checks: every write would pay for them, and only one statement writes here.
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
  -- The transaction that wrote it. Whoever follows what is added reads the entries that a snapshot of theirs does not show
  -- (engine/events/event-log.ts).
  xact xid8 not null default pg_current_xact_id(),
  -- Two indexes for what is read: an organization's newest, and what came after a snapshot. Every write pays for them: 6 µs of CPU
  -- for the second one and the column before.
  primary key (organization_id, id)
);
create index audit_log_xact on tenantry.audit_log (organization_id, xact);
create function tenantry.refuse_audit_change() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp set standard_conforming_strings = on as $$
begin
  raise exception 'the audit log is append-only' using errcode = 'insufficient_privilege';
end $$;
create trigger append_only before update or delete or truncate on tenantry.audit_log
  for each statement execute function tenantry.refuse_audit_change();
alter table tenantry.audit_log enable always trigger append_only;
alter table tenantry.audit_log enable row level security;
create policy own_organization on tenantry.audit_log
  using (organization_id = (select tenantry.scope_organization()));

-- What a move's stream sends once more is left as it is here: entries never change.
create function tenantry.keep_entry() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp set standard_conforming_strings = on as $$
begin
  if exists (select from tenantry.audit_log where organization_id = new.organization_id and id = new.id) then
    return null;
  end if;
  return new;
end $$;
create trigger keep_entry before insert on tenantry.audit_log for each row
  when (coalesce(current_setting('tenantry.copying', true), '') = '') execute function tenantry.keep_entry();
create trigger only_copied before insert on tenantry.audit_log for each row
  when (current_setting('tenantry.copying', true) <> ''
        and split_part(current_setting('tenantry.copying', true), '/', 1) <> new.organization_id::text)
  execute function tenantry.refuse_copied_row();
alter table tenantry.audit_log enable always trigger only_copied;
create function tenantry.keep_mark() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp set standard_conforming_strings = on as $$
begin
  if exists (select from tenantry.move_marks where number = new.number and mark = new.mark) then
    return null;
  end if;
  return new;
end $$;
create trigger keep_mark before insert on tenantry.move_marks for each row execute function tenantry.keep_mark();
alter table tenantry.audit_log enable replica trigger keep_entry;
alter table tenantry.move_marks enable replica trigger keep_mark;

-- Placements that came here from another database. Entries that were written there keep that database's number, and the numbers of
-- transactions in them are that server's. `snapshot`: shows all of them, and nothing that was written here since
-- (engine/events/event-log.ts).
create table tenantry.arrivals (
  placement_number int not null,
  database_id int not null,
  -- The server's system identifier and timeline.
  history text not null,
  snapshot text not null,
  at timestamptz not null default clock_timestamp(),
  primary key (placement_number, at)
);
alter table tenantry.arrivals enable row level security;
create policy own_placement on tenantry.arrivals
  using (placement_number = (select tenantry.scope_placement()));

-- The entry of a row that a team's program has written (tenantry.tenant_table). With the rights of whoever writes the row, so that
-- row-level security holds for the entry too.
create function tenantry.record_write() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp set quote_all_identifiers = off as $$
declare
  actor text := tenantry.scope_actor();
begin
  insert into tenantry.audit_log (id, database_id, organization_id, who, who_id, via, action, subject_kind, subject_id)
  values (tenantry.new_id(), tenantry.database_id(), tenantry.scope_organization(),
          case actor when 'operator' then 'OPERATOR' else 'USER' end, nullif(actor, 'operator'), 'LIBRARY',
          lower(tg_op collate "C"), format('%I.%I', tg_table_schema, tg_table_name), case tg_op when 'DELETE' then old.id else new.id end);
  return null;
end $$;

-- What the API's role may do here, besides the tables of the app.
create function tenantry.rights_of_api() returns table (kind text, object text, privileges text[]) language plpgsql stable
  set search_path = pg_catalog, pg_temp as $$
begin
  return query
    select * from (values
      ('schema', 'tenantry', '{usage}'::text[]),
      ('schema', 'app', '{usage}'),
      ('table', 'tenantry.identity', '{select}'),
      ('table', 'tenantry.closed_placements', '{select}'),
      ('table', 'tenantry.arrivals', '{select}'),
      ('table', 'tenantry.closings', '{select}'),
      ('sequence', 'tenantry.closings_told', '{select}'),
      ('table', 'tenantry.directory_organizations', '{select}'),
      ('table', 'tenantry.directory_members', '{select}'),
      ('table', 'tenantry.catalog_changes', '{insert}'),
      -- It writes entries and reads them, and can do nothing else with them.
      ('table', 'tenantry.audit_log', '{select,insert}')
    ) as fixed (kind, object, privileges)
    union all
    select 'table', declared, '{select,insert,update,delete}' from tenantry.declared_tables() as declared;
end $$;
select tenantry.admit_api(tenantry.api_role());
select tenantry.close_large_objects();
