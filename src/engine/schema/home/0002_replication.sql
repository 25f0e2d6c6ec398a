-- What flows between home and the tenant databases, and the guards on it.

-- Need to know: per tenant database the organizations placed there and their members. Maintained by the
-- triggers below, published per database with a row filter on database_id.
create table tenantry.directory_organizations (
  database_id int not null references tenantry.tenant_databases on delete cascade,
  organization_id uuid not null,
  name text not null check (char_length(name) between 1 and 200),
  created_at timestamptz not null
    check (tenantry.is_moment(created_at)),
  primary key (database_id, organization_id)
);
create table tenantry.directory_members (
  database_id int not null references tenantry.tenant_databases on delete cascade,
  organization_id uuid not null,
  user_id uuid not null,
  role text not null check (char_length(role) between 1 and 20),
  joined_at timestamptz not null
    check (tenantry.is_moment(joined_at)),
  name text not null check (char_length(name) between 1 and 200),
  email text not null check (char_length(email) between 3 and 320),
  user_created_at timestamptz not null
    check (tenantry.is_moment(user_created_at)),
  primary key (database_id, organization_id, user_id)
);
create index directory_members_user_id on tenantry.directory_members (user_id);

-- Two transactions that each miss the other's row would leave a member out for good. So everything that
-- projects locks the organization first (a placement against memberships) and then the user (against a change
-- of name), and reads after the lock: in READ COMMITTED each statement then sees what the other committed.

create function tenantry.project_placement() returns trigger language plpgsql as $$
begin
  perform 1 from tenantry.organizations where id = new.organization_id for update;
  insert into tenantry.directory_organizations (database_id, organization_id, name, created_at)
    select new.database_id, o.id, o.name, o.created_at
    from tenantry.organizations o where o.id = new.organization_id
    on conflict do nothing;
  perform 1 from tenantry.users u join tenantry.memberships m on m.user_id = u.id
    where m.organization_id = new.organization_id order by u.id for share of u;
  insert into tenantry.directory_members
      (database_id, organization_id, user_id, role, joined_at, name, email, user_created_at)
    select new.database_id, m.organization_id, m.user_id, m.role, m.joined_at, u.name, u.email, u.created_at
    from tenantry.memberships m join tenantry.users u on u.id = m.user_id
    where m.organization_id = new.organization_id
    on conflict do nothing;
  return null;
end $$;
create trigger project_placement after insert on tenantry.placements
  for each row execute function tenantry.project_placement();

create function tenantry.unproject_placement() returns trigger language plpgsql as $$
begin
  delete from tenantry.directory_members
    where database_id = old.database_id and organization_id = old.organization_id;
  delete from tenantry.directory_organizations
    where database_id = old.database_id and organization_id = old.organization_id;
  return null;
end $$;
create trigger unproject_placement after delete on tenantry.placements
  for each row execute function tenantry.unproject_placement();

create function tenantry.project_membership() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' then
    perform 1 from tenantry.organizations where id = old.organization_id for share;
    delete from tenantry.directory_members
      where organization_id = old.organization_id and user_id = old.user_id;
    return null;
  end if;
  perform 1 from tenantry.organizations where id = new.organization_id for share;
  perform 1 from tenantry.users where id = new.user_id for share;
  insert into tenantry.directory_members
      (database_id, organization_id, user_id, role, joined_at, name, email, user_created_at)
    select d.database_id, new.organization_id, u.id, new.role, new.joined_at, u.name, u.email, u.created_at
    from tenantry.directory_organizations d, tenantry.users u
    where d.organization_id = new.organization_id and u.id = new.user_id
    on conflict (database_id, organization_id, user_id) do update set role = excluded.role;
  return null;
end $$;
create trigger project_membership after insert or update or delete on tenantry.memberships
  for each row execute function tenantry.project_membership();

create function tenantry.project_user() returns trigger language plpgsql as $$
begin
  update tenantry.directory_members set name = new.name, email = new.email where user_id = new.id;
  return null;
end $$;
create trigger project_user after update of name, email on tenantry.users
  for each row when (old.name is distinct from new.name or old.email is distinct from new.email)
  execute function tenantry.project_user();

create function tenantry.project_organization() returns trigger language plpgsql as $$
begin
  update tenantry.directory_organizations set name = new.name where organization_id = new.id;
  return null;
end $$;
create trigger project_organization after update of name on tenantry.organizations
  for each row when (old.name is distinct from new.name)
  execute function tenantry.project_organization();

-- The inbox: what tenant databases send to the catalog arrives here. Whoever administers a region's server can send anything,
-- so all of it is input. Replication writes it as a role that may write here and nowhere else, the seed writes it as the
-- operator; the guard below takes each row into the catalog or refuses it. Without row-level security: PostgreSQL does not
-- apply as a role that is subject to it.
create schema tenantry_inbox;

-- A mirror of what was sent, with the catalog's columns (align_inbox below). A refused row stays with its key alone, so that
-- a later change of it finds it.
create table tenantry_inbox.resources (
  database_id int not null,
  id uuid not null,
  organization_id uuid,
  name text,
  created_by uuid,
  created_at timestamptz,
  -- Why the row is not in the catalog, in words that follow "because". Null: it is there.
  fault text,
  primary key (database_id, id)
);
create index resources_faults on tenantry_inbox.resources (database_id, id) where fault is not null;

-- Whether the text can be worked with. Replication stores a text as it was sent, also one that is no UTF-8, and PostgreSQL's
-- functions fail at that.
create function tenantry.is_text(value text) returns boolean language plpgsql immutable parallel safe as $$
begin
  return convert_from(textsend(value), 'UTF8') is not null;
exception when data_exception then
  return false;
end $$;

-- Which tenant database sends, and null for whoever sends for none. A process that applies is known by its subscription;
-- only one that applies nothing, as the seed does, can name the database in a setting.
create function tenantry.catalog_sender() returns int language plpgsql stable
  set search_path = pg_catalog, pg_temp as $$
declare
  -- Not by the view, which reads every subscription of the server for each row.
  subscription oid := (select w.subid from pg_stat_get_subscription(null) w where w.pid = pg_backend_pid());
begin
  if subscription is null then
    -- The inbox's role applies for subscriptions and does nothing else: a session of it names no database.
    if session_user = 'tenantry_' || (select id from tenantry.installation) || '_inbox' then
      return null;
    end if;
    return nullif(current_setting('tenantry.catalog_sender', true), '')::int;
  end if;
  return (select (regexp_match(s.subname, '_([0-9]{1,9})_catalog$'))[1]::int from pg_subscription s where s.oid = subscription);
end $$;

-- Why a row that a tenant database sent may not be in the catalog; null: it may. `created_by` is not
-- looked at: names are shown only of people whom the reader may see.
create function tenantry.fault_in(sent tenantry_inbox.resources) returns text language plpgsql stable as $$
declare
  -- All of its values, also those of columns that later migrations add.
  line text := sent::text;
  leads_to int := tenantry.placement_number_of(sent.id);
  leads_there boolean := (
    select bool_or(leads_to is not null and (p.number = leads_to or exists (
      select from tenantry.adopted_numbers a where a.number = leads_to and a.placement_id = p.id)))
    from tenantry.directory_organizations d
    join tenantry.placements p on p.database_id = d.database_id and p.organization_id = d.organization_id
    where d.database_id = sent.database_id and d.organization_id = sent.organization_id);
begin
  if leads_there is null then
    return 'its organization has no placement in this database';
  end if;
  if not leads_there then
    return 'its id does not lead to a placement of its organization in this database';
  end if;
  -- First, as what follows reads texts. The bound comes before that: what is longer is not worth reading.
  if octet_length(line) > 65536 or not tenantry.is_text(line) then
    return 'it is longer than 64 kB or has a text that is no UTF-8';
  end if;
  if not tenantry.is_name(sent.name) then
    return 'its name is empty, longer than 200 characters, or has control characters or invisible ones';
  end if;
  if not tenantry.is_moment(sent.created_at) then
    return 'it was not created between the years 2000 and 2100';
  end if;
  return null;
end $$;

-- Gives the inbox the columns that the catalog has, and writes the function by which a row of the one becomes a row of the
-- other. The program calls it at each start: a migration of home that adds a column which flows adds it to the catalog, and
-- need not know of the inbox. A tenant database of an older version does not send that column: it is null in the inbox, so
-- in the catalog it has a default or may be null.
create function tenantry.align_inbox() returns void language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  change text;
  body text;
begin
  for change in
    select format('add column %I %s', c.attname, format_type(c.atttypid, c.atttypmod))
    from pg_attribute c where c.attrelid = 'tenantry.resources'::regclass and c.attnum > 0 and not c.attisdropped
      and not exists (select from pg_attribute i where i.attrelid = 'tenantry_inbox.resources'::regclass
                      and i.attname = c.attname and not i.attisdropped)
    union all
    select format('drop column %I', i.attname)
    from pg_attribute i where i.attrelid = 'tenantry_inbox.resources'::regclass and i.attnum > 0 and not i.attisdropped
      and i.attname <> 'fault'
      and not exists (select from pg_attribute c where c.attrelid = 'tenantry.resources'::regclass
                      and c.attname = i.attname and not c.attisdropped)
  loop
    execute 'alter table tenantry_inbox.resources ' || change;
  end loop;
  select format('
    begin
      insert into tenantry.resources as r (%s) values (%s)
      on conflict (database_id, id) do update set %s where (%s) is distinct from (%s);
    end',
    string_agg(name, ', '), string_agg(value, ', '),
    string_agg(name || ' = excluded.' || name, ', ') filter (where not is_key),
    string_agg('r.' || name, ', ') filter (where not is_key),
    string_agg('excluded.' || name, ', ') filter (where not is_key))
  into body
  from (
    select quote_ident(a.attname) as name, a.attname in ('database_id', 'id') as is_key,
      case when a.attnotnull and d.adbin is not null then
        format('coalesce(sent.%I, %s)', a.attname, pg_get_expr(d.adbin, d.adrelid))
      else format('sent.%I', a.attname) end as value
    from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attrelid = 'tenantry.resources'::regclass and a.attnum > 0 and not a.attisdropped
    order by a.attnum) as columns;
  if not exists (
    select from pg_proc where oid = to_regprocedure('tenantry.take_in(tenantry_inbox.resources)') and prosrc = body
  ) then
    execute format('create or replace function tenantry.take_in(sent tenantry_inbox.resources) returns void
      language plpgsql as %L', body);
  end if;
end $$;
select tenantry.align_inbox();

-- The one way into the catalog of tenant databases, for what is streamed and what is seeded. No content of a row makes it
-- fail, as that would halt the stream: a row that may not be in the catalog is kept with its fault. Returning null leaves out
-- a row of another database, and the stream goes on.
create function tenantry.guard_catalog() returns trigger language plpgsql security definer
  set search_path = pg_catalog, pg_temp as $$
declare
  sender int := tenantry.catalog_sender();
  removed uuid := case when tg_op <> 'INSERT' then old.id end;
  refused tenantry_inbox.resources;
begin
  if sender is null then
    raise exception 'only replication writes into the inbox' using errcode = 'insufficient_privilege';
  end if;
  if (tg_op <> 'INSERT' and old.database_id <> sender)
     or (tg_op <> 'DELETE' and (new.database_id is distinct from sender or new.id is null)) then
    raise warning 'tenantry: a catalog row without the number of database %, which sent it, was left out', sender;
    return null;
  end if;
  if tg_op = 'DELETE' then
    delete from tenantry.resources where database_id = sender and id = removed;
    return old;
  end if;
  if removed is distinct from new.id then
    -- A copy or a replay sends rows that are already here, and a key can change to one that is: the newer one replaces.
    delete from tenantry_inbox.resources where database_id = sender and id = new.id;
    if removed is not null then
      delete from tenantry.resources where database_id = sender and id = removed;
    end if;
  end if;
  new.fault := tenantry.fault_in(new);
  if new.fault is null then
    perform tenantry.take_in(new);
    return new;
  end if;
  delete from tenantry.resources where database_id = sender and id = new.id;
  refused.database_id := new.database_id;
  refused.id := new.id;
  refused.fault := new.fault;
  return refused;
end $$;
-- Not for the guard's own statements, of which the depth is 1.
create trigger guard_catalog before insert or update or delete on tenantry_inbox.resources
  for each row when (pg_trigger_depth() = 0) execute function tenantry.guard_catalog();
alter table tenantry_inbox.resources enable always trigger guard_catalog;

-- How many rows of a tenant database are refused now, up to 1,000, and why the first of them is. With its owner's rights: the
-- API shows it to the operator, and its role reads nothing of the inbox itself.
create function tenantry.refused_rows(of_database int, out refused int, out fault text) language sql stable security definer
  set search_path = pg_catalog, pg_temp
  return (select row(count(*)::int, (array_agg(i.fault order by i.id))[1]) from (
    select id, fault from tenantry_inbox.resources
    where database_id = of_database and fault is not null order by id limit 1000) i);

-- Reads a text as a value of the type of `kind`; null where the text is no such value.
create function tenantry.read_as(value text, kind anyelement) returns anyelement language plpgsql stable parallel safe as $$
declare
  read kind%type;
begin
  read := value;
  return read;
exception when data_exception then
  return null;
end $$;

-- Everything at home is held by two triggers against what a subscription could bring, also one that is a superuser's or that
-- somebody widened. A TRUNCATE that a publisher sends would empty a table for all.
create function tenantry.refuse_truncate() returns trigger language plpgsql as $$
begin
  raise exception '%.% cannot be truncated: use delete', tg_table_schema, tg_table_name
    using errcode = 'feature_not_supported';
end $$;

-- Rows that replication brings belong into the inbox and nowhere else.
create function tenantry.refuse_replicated_row() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if exists (select from pg_stat_get_subscription(null) w where w.pid = pg_backend_pid()) then
    raise exception 'replication may not write into %.%', tg_table_schema, tg_table_name
      using errcode = 'insufficient_privilege';
  end if;
  if tg_op = 'DELETE' then
    return old;
  end if;
  return new;
end $$;

-- Gives a table the triggers that it lacks.
create function tenantry.protect(one regclass) returns void language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if not exists (select from pg_trigger where tgrelid = one and tgname = 'refuse_truncate' and tgenabled = 'A') then
    execute format('create or replace trigger refuse_truncate before truncate on %s
      for each statement execute function tenantry.refuse_truncate()', one);
    execute format('alter table %s enable always trigger refuse_truncate', one);
  end if;
  if (select relnamespace <> 'tenantry_inbox'::regnamespace from pg_class where oid = one)
     and not exists (select from pg_trigger where tgrelid = one and tgname = 'refuse_replicated_row' and tgenabled = 'R') then
    -- Not for what the guard writes into the catalog, where the depth is 1.
    execute format('create or replace trigger refuse_replicated_row before insert or update or delete on %s
      for each row when (pg_trigger_depth() = 0) execute function tenantry.refuse_replicated_row()', one);
    execute format('alter table %s enable replica trigger refuse_replicated_row', one);
  end if;
end $$;

-- Protects every table of home. The program calls it at each start: a table that a later migration makes is held too, and a
-- trigger that somebody has switched off is on again.
create function tenantry.protect_tables() returns void language sql as $$
  select tenantry.protect(c.oid) from pg_catalog.pg_class c
  where c.relkind in ('r', 'p')
    and c.relnamespace in ('tenantry'::pg_catalog.regnamespace, 'tenantry_inbox'::pg_catalog.regnamespace);
$$;
