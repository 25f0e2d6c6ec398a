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

-- A mirror of what was sent. A refused row stays with its key alone, so that a later change of it finds it.
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
    return nullif(current_setting('tenantry.catalog_sender', true), '')::int;
  end if;
  return (select (regexp_match(s.subname, '_([0-9]{1,9})_catalog$'))[1]::int from pg_subscription s where s.oid = subscription);
end $$;

-- Why a row that a tenant database sent may not be in the catalog; null: it may. `created_by` is not
-- looked at: names are shown only of people whom the reader may see.
create function tenantry.fault_in(sent tenantry_inbox.resources) returns text language plpgsql stable as $$
declare
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
  -- The bound in bytes comes first: what is longer is not worth reading.
  if not (octet_length(sent.name) <= 800 and tenantry.is_text(sent.name)) or not tenantry.is_name(sent.name) then
    return 'its name is empty, longer than 200 characters, or has control characters or invisible ones';
  end if;
  if not tenantry.is_moment(sent.created_at) then
    return 'it was not created between the years 2000 and 2100';
  end if;
  return null;
end $$;

-- The one way into the catalog of tenant databases, for what is streamed and what is seeded. No content of a row makes it
-- fail, as that would halt the stream: a row that may not be in the catalog is kept with its fault. Returning null leaves out
-- a row of another database, and the stream goes on.
create function tenantry.guard_catalog() returns trigger language plpgsql security definer
  set search_path = pg_catalog, pg_temp as $$
declare
  sender int := tenantry.catalog_sender();
  removed uuid := case when tg_op <> 'INSERT' then old.id end;
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
    insert into tenantry.resources as r (database_id, id, organization_id, name, created_by, created_at)
      values (new.database_id, new.id, new.organization_id, new.name, new.created_by, new.created_at)
      on conflict (database_id, id) do update
        set organization_id = excluded.organization_id, name = excluded.name,
            created_by = excluded.created_by, created_at = excluded.created_at
        where (r.organization_id, r.name, r.created_by, r.created_at) is distinct from
              (excluded.organization_id, excluded.name, excluded.created_by, excluded.created_at);
  else
    delete from tenantry.resources where database_id = sender and id = new.id;
    new.organization_id := null;
    new.name := null;
    new.created_by := null;
    new.created_at := null;
  end if;
  return new;
end $$;
-- Not for the guard's own statements, of which the depth is 1.
create trigger guard_catalog before insert or update or delete on tenantry_inbox.resources
  for each row when (pg_trigger_depth() = 0) execute function tenantry.guard_catalog();
alter table tenantry_inbox.resources enable always trigger guard_catalog;

-- How many rows of a tenant database are refused now, up to 1,000, and why the first of them is.
create function tenantry.refused_rows(of_database int, out refused int, out fault text) language sql stable
  return (select row(count(*)::int, (array_agg(i.fault order by i.id))[1]) from (
    select id, fault from tenantry_inbox.resources
    where database_id = of_database and fault is not null order by id limit 1000) i);

-- A value of a row that was read as text, as the type of `kind`; null where it is none of that type.
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
