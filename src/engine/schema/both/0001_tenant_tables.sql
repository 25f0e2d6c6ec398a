-- What home and every tenant database have in common: the rules of values, ids, and what a table is to Tenantry.
--
-- A table of the app is in schema `app`. Its migration says by calls of the functions below what the table is. Nothing of a
-- table leaves its database unless a call says so. Home runs the migrations of the app too: for the default organization's
-- rows, and to make the catalog.

create schema app;

-- Types of parameters: a statement that has one is under the setting for itself alone (base/postgres/scope.ts). PostgreSQL checks
-- a value of a domain when it reads the parameter, before it plans the statement. No column may be of these types.
create domain tenantry.sets_scope as text
  check (pg_catalog.set_config('tenantry.scope', value, true) is not null);
create domain tenantry.sets_viewer as text
  check (pg_catalog.set_config('tenantry.viewer', value, true) is not null);
-- Behind a connection pooler. A statement's names are looked up anew when the search path has become another one.
create domain tenantry.sets_search_path as text
  check (pg_catalog.set_config('search_path', value, true) is not null);

-- Moments lie in the years 2000 to 2099 (UTC): programs cannot write all others as a date. The bounds are seconds since 1970,
-- as the text of a moment would depend on the session's time zone. The function is false for null and infinity.
create function tenantry.is_moment(moment timestamptz) returns boolean language sql immutable parallel safe
  return coalesce(moment >= to_timestamp(946684800) and moment < to_timestamp(4102444800), false);

-- What validName of base/kernel/validation.ts takes: a name has no control characters, no line breaks, and nothing invisible that
-- turns or hides what stands beside it. It is false for null. Without BETWEEN: a dump of that beside AND is restored as another text.
create function tenantry.is_name(name text) returns boolean language sql immutable parallel safe
  return coalesce(
    char_length(name) >= 1 and char_length(name) <= 200 and name collate "C" ~ '[^[:space:]]'
    and name collate "C" !~
      '[\u0001-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]',
    false);

-- The number of the placement that an id leads to; null for an id of another form. base/kernel/ids.ts describes the layout.
create function tenantry.placement_number_of(id uuid) returns int language sql immutable strict parallel safe
  return case when get_byte(uuid_send(id), 6) >> 4 = 7 and get_byte(uuid_send(id), 8) >> 6 = 2 then
    ((get_byte(uuid_send(id), 8) & 63) << 18) | (get_byte(uuid_send(id), 9) << 10)
    | (get_byte(uuid_send(id), 10) << 2) | (get_byte(uuid_send(id), 11) >> 6) end;

-- What the calls said, in their order. The state of a table is what the last call of each kind said.
create table tenantry.declarations (
  position int generated always as identity primary key,
  -- The migration that made the call.
  part text not null,
  number int not null,
  kind text not null check (kind in ('table', 'catalog', 'directory', 'personal', 'dropped')),
  -- With its schema.
  table_name text not null,
  -- Of `catalog` and `directory`: all columns that flow. Of `personal`: the column.
  columns text[] not null default '{}',
  -- Of `personal`: what the column holds.
  detail text
);

create function tenantry.declare(kind text, table_name text, columns text[] default '{}', detail text default null)
  returns void language sql as $$
  insert into tenantry.declarations (part, number, kind, table_name, columns, detail)
  values (split_part(current_setting('tenantry.migration'), ' ', 1),
          split_part(current_setting('tenantry.migration'), ' ', 2)::int, $1, $2, $3, $4);
$$;

-- Which tenant database this is; 0 is home. The default of a column.
create function tenantry.database_id() returns int language plpgsql stable parallel safe as $$
begin
  return (select database_id from tenantry.identity);
end $$;

-- The organization that the statement is for. The default of a column, so that a statement need not name it.
create function tenantry.organization() returns uuid language plpgsql stable parallel safe as $$
begin
  return tenantry.scope_organization();
end $$;

-- A new id that leads to the placement which the statement is for (base/kernel/ids.ts). By the clock of this server.
create function tenantry.new_id() returns uuid language plpgsql volatile parallel safe as $$
declare
  number int := tenantry.scope_placement();
  id bytea := uuid_send(gen_random_uuid());
  milliseconds bigint := floor(extract(epoch from clock_timestamp()) * 1000);
begin
  if number is null then
    raise exception 'an id is made in the scope of an organization, and this statement has none'
      using errcode = 'invalid_parameter_value';
  end if;
  for at in 0..5 loop
    id := set_byte(id, at, ((milliseconds >> (40 - 8 * at)) & 255)::int);
  end loop;
  id := set_byte(id, 6, 112 | (get_byte(id, 6) & 15));
  id := set_byte(id, 8, 128 | (number >> 18));
  id := set_byte(id, 9, (number >> 10) & 255);
  id := set_byte(id, 10, (number >> 2) & 255);
  return encode(set_byte(id, 11, ((number & 3) << 6) | (get_byte(id, 11) & 63)), 'hex')::uuid;
end $$;

-- Whose erasure the statement is part of: what a team's erase.sql goes by. Null outside of an erasure.
create function tenantry.erased_user() returns uuid language sql stable parallel safe
  return nullif(current_setting('tenantry.erased_user', true), '')::uuid;

-- Who is behind the statement, as the scope names them: a user's id, or `operator`; empty: nobody is named.
create function tenantry.scope_actor() returns text language sql stable parallel safe
  return split_part(current_setting('tenantry.scope', true), '/', 3);
create function tenantry.names_actor() returns boolean language plpgsql stable parallel safe
  as $$ begin return split_part(current_setting('tenantry.scope', true), '/', 3) <> ''; end $$;

-- TRUNCATE is not published, so it would leave the catalog with rows that are gone. At home a TRUNCATE that a publisher sends
-- would empty a table for all.
create function tenantry.refuse_truncate() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp set standard_conforming_strings = on as $$
begin
  raise exception '%.% cannot be truncated: use delete', tg_table_schema, tg_table_name
    using errcode = 'feature_not_supported';
end $$;

-- A row with another database's id would not pass the publication's filter and so be missing from the catalog in silence:
-- refuse it here.
create function tenantry.own_rows_only() returns trigger language plpgsql as $$
begin
  if new.database_id is distinct from (select database_id from tenantry.identity) then
    raise exception 'this is not tenant database %', new.database_id using errcode = 'check_violation';
  end if;
  return new;
end $$;

-- Why a table cannot hold tenants' rows, in one sentence; null: it can.
create function tenantry.fault_of_table(declared regclass) returns text language plpgsql stable
  set search_path = pg_catalog, pg_temp as $$
declare
  one record;
begin
  if (select relnamespace <> 'app'::regnamespace or relkind <> 'r' from pg_class where oid = declared) then
    return format('%s is not an ordinary table of schema app.', declared);
  end if;
  if (select relname !~ '^[a-z_][a-z0-9_]{0,47}$' or quote_ident(relname) <> relname from pg_class where oid = declared) then
    return format('%s has a name that is not plain: use up to 48 lower case letters, digits and _, and no word of SQL.', declared);
  end if;
  if exists (select from pg_inherits where declared in (inhrelid, inhparent)) then
    return format('%s shares rows with another table, by inheritance or as a partition: each row must be in one table.', declared);
  end if;
  for one in select * from (values ('id', 'uuid'), ('organization_id', 'uuid')) as wanted (name, type) loop
    if not exists (select from pg_attribute where attrelid = declared and attname = one.name and attnotnull
                   and format_type(atttypid, atttypmod) = one.type) then
      return format('%s has no column %I %s not null.', declared, one.name, one.type);
    end if;
  end loop;
  if not exists (
    select from pg_constraint k where k.conrelid = declared and k.contype = 'p'
      and (select bool_or(attname = 'id') and bool_and(attname in ('id', 'database_id', 'organization_id'))
           from pg_attribute where attrelid = declared and attnum = any(k.conkey))
  ) then
    return format('%s has no primary key of id: alone, or with organization_id or database_id.', declared);
  end if;
  for one in select attname from pg_attribute where attrelid = declared and attidentity <> '' and not attisdropped loop
    return format('%s.%I is an identity column: its values would tell organizations of one database about each other. Use uuid with tenantry.new_id().',
                  declared, one.attname);
  end loop;
  for one in select conname from pg_constraint where conrelid = declared and contype in ('p', 'u', 'x') and condeferrable loop
    return format('%s has the deferrable key %I, which an import cannot write into: make it not deferrable.', declared, one.conname);
  end loop;
  for one in
    select k.conname, k.confrelid::regclass as parent,
      exists (select from unnest(k.conkey, k.confkey) as pair (own, other)
              join pg_attribute a on a.attrelid = k.conrelid and a.attnum = pair.own
              join pg_attribute b on b.attrelid = k.confrelid and b.attnum = pair.other
              where a.attname = 'organization_id' and b.attname = 'organization_id') as stays,
      k.confrelid = declared
        or exists (select from tenantry.declarations d where d.kind = 'table' and d.table_name = k.confrelid::regclass::text) as known
    from pg_constraint k where k.conrelid = declared and k.contype = 'f'
  loop
    if not one.known then
      return format('%s refers by %I to %s, which no call of tenantry.tenant_table declares before it.', declared, one.conname, one.parent);
    end if;
    if not one.stays then
      return format('%s refers by %I to a row that may be another organization''s: put organization_id into the foreign key.',
                    declared, one.conname);
    end if;
  end loop;
  return null;
end $$;

-- Makes a table one that holds tenants' rows: each row is one organization's, a statement sees those of its own organization
-- only, exports, imports, revocations and receipts know the table, and what a team's program writes is in the audit log.
create function tenantry.tenant_table(declared regclass) returns void language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  api text := tenantry.api_role();
  fault text := tenantry.fault_of_table(declared);
begin
  if fault is not null then
    raise exception 'tenantry.tenant_table: %', fault using errcode = 'invalid_table_definition';
  end if;
  if not exists (select from pg_attribute where attrelid = declared and attname = 'database_id' and not attisdropped) then
    execute format('alter table %s add column database_id int not null default tenantry.database_id()', declared);
  end if;
  -- Not forced: a subscription's owner who is subject to row-level security may not write into the table at all. Replication, exports
  -- and migrations work on whole databases, as the role that owns the tables.
  execute format('alter table %s enable row level security', declared);
  -- In sub-selects, so that the setting is read once for a statement and not for each row.
  execute format('create policy own_organization on %s using (organization_id = (select tenantry.scope_organization()))', declared);
  -- What is closed refuses with an error. Reading does not look. `with check (true)`, as the look at the old row is enough.
  execute format('create policy open_to_insert on %s as restrictive for insert with check ((select tenantry.takes_writes()))', declared);
  execute format('create policy open_to_update on %s as restrictive for update
    using ((select tenantry.takes_writes())) with check (true)', declared);
  execute format('create policy open_to_delete on %s as restrictive for delete using ((select tenantry.takes_writes()))', declared);
  execute format('grant usage on schema app to %I', api);
  execute format('grant select, insert, update, delete on %s to %I', declared, api);
  -- What a team's program writes is in the audit log: its scope names an actor. The API's names none, as its statements write their
  -- own entry, so it pays for the look at the setting only: 1.3 µs of CPU for a statement of one row. Written out here instead of
  -- in a function, it would be 4.6 µs, as PostgreSQL reads the condition of a trigger anew for each statement.
  execute format('create trigger record_write after insert or update or delete on %s for each row
    when (tenantry.names_actor()) execute function tenantry.record_write()', declared);
  perform tenantry.apply_moves(declared, false);
  perform tenantry.declare('table', declared::text);
end $$;

-- Says which columns of a table go to home's catalog, besides `database_id`, `id` and `organization_id`. Another call for the
-- same table replaces what the one before said.
create function tenantry.catalog(declared regclass, columns text[]) returns void language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  keys constant text[] := '{database_id,id,organization_id}';
  wrong text := (
    select string_agg(quote_ident(one), ', ') from unnest(columns) as one
    where one = any(keys) or not exists (
      select from pg_attribute where attrelid = declared and attname = one and attnum > 0 and not attisdropped
        and attgenerated = ''));
begin
  if not exists (select from tenantry.declarations where kind = 'table' and table_name = declared::text) then
    raise exception 'tenantry.catalog: % was not declared. Call tenantry.tenant_table first.', declared
      using errcode = 'invalid_table_definition';
  end if;
  if wrong is not null then
    raise exception 'tenantry.catalog: % of % cannot be listed. List stored columns, without the keys, which always flow.', wrong, declared
      using errcode = 'invalid_column_reference';
  end if;
  -- Home's inbox says there why a row was refused, and its catalog of which placement the row is.
  if columns && '{fault,placement_number}' then
    raise exception 'tenantry.catalog: % of % cannot be listed, as home uses the name: list a column with another one.',
      (select one from unnest(columns) as one where one in ('fault', 'placement_number') limit 1), declared
      using errcode = 'invalid_column_reference';
  end if;
  if exists (select from unnest(columns) as one where one like 'order\_by\_%') then
    raise exception 'tenantry.catalog: % has a column order_by_…, as home calls what puts a column in order: list a column with another name.', declared
      using errcode = 'invalid_column_reference';
  end if;
  perform tenantry.declare('catalog', declared::text, keys || columns);
  perform tenantry.apply_catalog(declared, columns);
end $$;

-- Says by which columns of its catalog a table is listed in order, and by the start of which texts it is found: columns that
-- tenantry.catalog names, of the type `text` or `timestamptz`. Each costs home an index.
create function tenantry.catalog_orders(declared regclass, columns text[]) returns void language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  listed text[] := (select d.columns from tenantry.declarations d where d.kind = 'catalog' and d.table_name = declared::text
                    order by d.position desc limit 1);
  wrong text := (
    select string_agg(quote_ident(one), ', ') from unnest(columns) as one
    where not coalesce(one = any(listed), false) or not exists (
      select from pg_attribute where attrelid = declared and attname = one and not attisdropped
        and format_type(atttypid, atttypmod) in ('text', 'timestamp with time zone')));
begin
  if wrong is not null then
    raise exception 'tenantry.catalog_orders: % of % cannot be ordered by. Name columns of the type text or timestamptz that tenantry.catalog lists.', wrong, declared
      using errcode = 'invalid_column_reference';
  end if;
  perform tenantry.apply_catalog_orders(declared, columns);
end $$;

-- Says that a column holds something about a person: `user` (the id of one), `name`, `email` or `text`. An erasure takes a
-- person's id out of every column of the kind `user`: null where the column takes null, else an id of nobody. Whose a name, an
-- address or a text is, no column says: those are the team's own erase.sql's to erase.
create function tenantry.personal(declared regclass, of_column text, holds text) returns void language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if not exists (select from pg_attribute where attrelid = declared and attname = of_column and attnum > 0 and not attisdropped) then
    raise exception 'tenantry.personal: % has no column %.', declared, quote_ident(of_column)
      using errcode = 'undefined_column';
  end if;
  if holds not in ('user', 'name', 'email', 'text') then
    raise exception 'tenantry.personal: % is not one of user, name, email, text.', quote_literal(holds)
      using errcode = 'invalid_parameter_value';
  end if;
  if holds = 'user' and of_column in ('id', 'organization_id', 'database_id') then
    raise exception 'tenantry.personal: % is a key of %, which an erasure cannot take out: have a column of its own for the user.', of_column, declared
      using errcode = 'invalid_column_reference';
  end if;
  if holds = 'user' and (select format_type(atttypid, atttypmod) <> 'uuid' or attgenerated <> '' from pg_attribute
                         where attrelid = declared and attname = of_column and not attisdropped) then
    raise exception 'tenantry.personal: % of % is no stored column of the type uuid, as ids of users are.', quote_ident(of_column), declared
      using errcode = 'datatype_mismatch';
  end if;
  perform tenantry.declare('personal', declared::text, array[of_column], holds);
end $$;

-- Drops a table that was declared, with its rows. Home keeps what the catalog has of it while databases of the version before
-- are served.
create function tenantry.drop_tenant_table(declared regclass) returns void language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  name text := declared::text;
begin
  if not exists (select from tenantry.declarations where kind = 'table' and table_name = name) then
    raise exception 'tenantry.drop_tenant_table: % was not declared.', declared using errcode = 'undefined_table';
  end if;
  execute format('drop table %s', declared);
  perform tenantry.forget_moves(name);
  perform tenantry.declare('dropped', name);
end $$;

-- Says which columns of a directory table flow from home to tenant databases. The engine's own tables only.
create function tenantry.directory(declared regclass, columns text[]) returns void language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  perform tenantry.declare('directory', declared::text, columns);
end $$;

-- What the API's role lacks in this database: rights of tenantry.rights_of_api, which home and tenant databases each say for
-- themselves, and being let in. A database that was restored without its roles lacks all of it.
create function tenantry.missing_rights(api text) returns table (kind text, object text, privilege text)
  language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  if not exists (select from pg_roles where rolname = api) then
    return query select 'role', api, 'login';
    return;
  end if;
  return query
    -- In its own name: what everybody may can be taken from everybody.
    select 'database', current_database()::text, 'connect'
    where not exists (
      select from pg_database d, aclexplode(d.datacl) a
      where d.datname = current_database() and a.grantee = to_regrole(quote_ident(api)) and a.privilege_type = 'CONNECT')
    union all
    select r.kind, r.object, wanted.privilege
    from tenantry.rights_of_api() r cross join unnest(r.privileges) as wanted (privilege)
    where not case r.kind
      when 'schema' then has_schema_privilege(api, r.object, wanted.privilege)
      when 'sequence' then has_sequence_privilege(api, r.object, wanted.privilege)
      else has_table_privilege(api, r.object, wanted.privilege) end;
end $$;

-- Tables of the app, which the API's role may use as row-level security lets it.
create function tenantry.declared_tables() returns setof text language plpgsql stable
  set search_path = pg_catalog, pg_temp as $$
begin
  return query
    select distinct d.table_name from tenantry.declarations d where d.kind = 'table' and to_regclass(d.table_name) is not null;
end $$;

-- Makes the API's role where it is missing, and gives it what it lacks. It gets its password later.
create function tenantry.admit_api(api text) returns void language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  one record;
begin
  if not exists (select from pg_roles where rolname = api) then
    begin
      execute format('create role %I nologin', api);
    exception when duplicate_object or unique_violation then null;
    end;
  end if;
  for one in
    select m.kind, m.object, string_agg(m.privilege, ', ') as privileges from tenantry.missing_rights(api) m group by 1, 2
  loop
    execute format('grant %s on %s %s to %I', one.privileges, one.kind,
      case one.kind when 'database' then quote_ident(one.object) else one.object end, api);
  end loop;
end $$;

-- Large objects are outside of row-level security, and every role may make some. Only a superuser can change that.
create function tenantry.close_large_objects() returns void language plpgsql as $$
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
