-- The home database: the directory of people, organizations and regions, the catalog, and the jobs.

-- The installation
-- ----------------

-- One row. The id is the prefix of every name Tenantry gives on a server (databases, slots, publications,
-- subscriptions), so that two installations can share one.
create table tenantry.installation (
  id text not null check (id ~ '^[0-9a-f]{8}$'),
  created_at timestamptz not null default now(),
  -- What the passwords of the API's role on each server are made of, encrypted. Null: not made yet.
  api_secret bytea,
  -- What the passwords of links are made of, encrypted. Null: not made yet.
  border_secret bytea,
  -- How servers reach the gateway: for processes that have none of their own. Without a secret. Null: none has run yet.
  gateway_address text,
  gateway_home_address text,
  -- Home's system identifier and timeline when a program last started with it, and the number that PostgreSQL gave to this
  -- table and to the database: a dump that is restored gets others. On another one home may have forgotten the numbers that it
  -- gave last, and erasures.
  home_history text,
  one_row boolean primary key default true check (one_row)
);
insert into tenantry.installation (id) values (substr(md5(gen_random_uuid()::text), 1, 8));

-- Which database this is, as every tenant database says it: home is number 0.
create view tenantry.identity (installation_id, database_id) as select id, 0 from tenantry.installation;

-- The default organization, to which all belongs that belongs to no other. It has no row: everybody is a member.
create function tenantry.default_organization() returns uuid language sql immutable parallel safe
  return '00000000-0000-0000-0000-000000000000'::uuid;

-- The API's role, the same on every server of the installation.
create function tenantry.api_role() returns text language sql stable
  return 'tenantry_' || (select id from tenantry.installation) || '_api';

-- People and organizations
-- ------------------------

-- E-mail addresses are equal when these are: the one rule, whatever locale the database has. A locale's own rule would fold
-- the Kelvin sign to k, and a Turkish one would keep I and i apart.
create function tenantry.address_key(address text) returns text language sql immutable strict parallel safe
  return lower(address collate "C");

create table tenantry.users (
  id uuid primary key,
  name text not null check (tenantry.is_name(name)),
  -- ASCII only, as it says who somebody is: letters of other scripts can look like these.
  -- Without BETWEEN: a dump of that beside AND is restored as another text.
  email text not null check (char_length(email) >= 3 and char_length(email) <= 320 and email collate "C" ~ '^[!-~]+$'),
  created_at timestamptz not null default now() check (tenantry.is_moment(created_at)),
  -- When name and address were replaced on request.
  erased_at timestamptz
);
create unique index users_email_key on tenantry.users (tenantry.address_key(email));

create table tenantry.organizations (
  id uuid primary key,
  name text not null check (tenantry.is_name(name)),
  created_by uuid references tenantry.users on delete set null,
  created_at timestamptz not null default now() check (tenantry.is_moment(created_at)),
  -- When it was renamed; the moment of its making until then.
  updated_at timestamptz not null default now(),
  -- Set when somebody asked for its end: it gets no more placements, and goes with the last that it has.
  deleting_at timestamptz
);

create table tenantry.memberships (
  organization_id uuid not null references tenantry.organizations on delete cascade,
  user_id uuid not null references tenantry.users on delete cascade,
  role text not null check (role in ('OWNER', 'ADMIN', 'MEMBER', 'VIEWER')),
  joined_at timestamptz not null default now() check (tenantry.is_moment(joined_at)),
  primary key (organization_id, user_id)
);
create index memberships_user_id on tenantry.memberships (user_id, organization_id);

-- Invitations: somebody with an e-mail address may become a member, once, until a moment, by showing a token.
create table tenantry.invitations (
  id uuid primary key,
  organization_id uuid not null references tenantry.organizations on delete cascade,
  email text not null check (char_length(email) >= 3 and char_length(email) <= 320 and email collate "C" ~ '^[!-~]+$'),
  role text not null check (role in ('OWNER', 'ADMIN', 'MEMBER', 'VIEWER')),
  -- SHA-256 of the token, which is shown to nobody but whom it is sent to.
  token_hash bytea not null constraint invitations_token_hash_key unique,
  -- `operator` or a user's id.
  invited_by text not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  accepted_at timestamptz,
  accepted_by uuid references tenantry.users on delete set null,
  revoked_at timestamptz
);
-- One open invitation an address: inviting again replaces it.
create unique index invitations_open_key on tenantry.invitations (organization_id, tenantry.address_key(email))
  where accepted_at is null and revoked_at is null;
create index invitations_organization_id on tenantry.invitations (organization_id, id);

-- Mails of the last day, so that they can be bounded (engine/people/mail-limits.ts). Nothing here refers to another table: an
-- organization that is gone has sent its mails all the same.
create table tenantry.mails (
  id uuid primary key,
  sent_at timestamptz not null default clock_timestamp(),
  -- A user's id, or that of a key which the operator made; null: the operator.
  sender text,
  organization_id uuid not null,
  -- SHA-256 of the address's key; null when the mail server did not take the mail.
  address bytea
);
create index mails_sent_at on tenantry.mails (sent_at);
create index mails_sender on tenantry.mails (sender, sent_at);
create index mails_organization_id on tenantry.mails (organization_id, sent_at);
create index mails_address on tenantry.mails (address, sent_at);

-- Regions, tenant databases, placements
-- -------------------------------------

create table tenantry.regions (
  id uuid primary key,
  key text not null constraint regions_key_key unique check (key ~ '^[a-z][a-z0-9-]{0,39}$'),
  name text not null check (tenantry.is_name(name)),
  -- Encrypted by the program: it holds a password. Host and port stand beside it for people to read.
  connection_url bytea not null,
  host text not null,
  port int not null,
  -- pg_control_system().system_identifier: tells two names of one server from two servers.
  system_identifier text not null constraint regions_system_identifier_key unique,
  server_version int not null,
  subscription_method text not null,
  -- The connection pooler by which the API reaches the region's server; null: it reaches the server itself. No secret.
  pool_url text,
  -- Where it is on the map, in degrees; null: nobody has said. Nothing is decided by it.
  latitude float8 check (latitude between -90 and 90),
  longitude float8 check (longitude between -180 and 180),
  -- A region that is being retired takes no more grants; its row goes when its server was cleaned up.
  retired_at timestamptz,
  created_at timestamptz not null default now(),
  check ((latitude is null) = (longitude is null))
);

-- Whoever keeps connections to a region's server hears that its address, its password or its standing changed.
create function tenantry.region_notify() returns trigger language plpgsql as $$
begin
  perform pg_notify('tenantry_region', coalesce(new.id, old.id)::text);
  return null;
end $$;
create trigger region_notify after update or delete on tenantry.regions
  for each row execute function tenantry.region_notify();

-- Databases on the regions' servers. Publications, slots and subscriptions belong to these, not to placements.
-- Id 0 is home's own.
create table tenantry.tenant_databases (
  id int generated always as identity primary key,
  region_id uuid not null references tenantry.regions,
  isolation text not null check (isolation in ('DEDICATED', 'SHARED')),
  name text not null,
  -- How many migrations it has: of Tenantry, and of the app. Null until it is made.
  engine_version int,
  app_version int,
  -- Hash of its schema, by the last look and the migrations since; null: as it was made from the template. The truth is in the
  -- database itself.
  schema_fingerprint text,
  migrated_at timestamptz,
  -- Why the last attempt to migrate it did not succeed, in one sentence without secrets; null: it did.
  migration_failure text,
  migration_failed_at timestamptz,
  -- Set while a migration changes which columns flow: only columns of both versions are published meanwhile.
  migrating_to_engine int,
  migrating_to_app int,
  -- A database that was made ahead of a grant and belongs to no organization: a grant takes one that is READY, and this is null then.
  -- One that is LEAVING is being dropped.
  ready_state text check (ready_state in ('MAKING', 'READY', 'LEAVING')),
  -- A database that placements share goes with the last of them. From this moment on it takes no more; another is made.
  closing_at timestamptz,
  -- Another generation is another password for each of the database's links.
  credential_generation int not null default 1,
  created_at timestamptz not null default now(),
  -- Since when its schema is there, by the clock: erasures from before that are none of its.
  made_at timestamptz,
  unique (region_id, name),
  check ((engine_version is null) = (app_version is null)),
  check ((migrating_to_engine is null) = (migrating_to_app is null)),
  check (ready_state is null or isolation = 'DEDICATED'),
  check (ready_state is distinct from 'READY' or engine_version is not null)
);

create index tenant_databases_ready on tenantry.tenant_databases (region_id, id) where ready_state is not null;
create unique index tenant_databases_shared on tenantry.tenant_databases (region_id)
  where isolation = 'SHARED' and closing_at is null;

-- What the migrations make of a tenant database on a region's server, read from one that they have just made there. Tenant databases
-- are compared with it. It can be made again at any time.
create table tenantry.reference_schemas (
  region_id uuid not null references tenantry.regions on delete cascade,
  -- Of the migrations, and of what else it depends on.
  digest text not null,
  -- Another version of PostgreSQL prints the same schema otherwise.
  server_version int not null,
  -- As engine/migrations/fingerprint.ts writes them.
  lines text[] not null,
  made_at timestamptz not null default now(),
  primary key (region_id, digest, server_version)
);

-- The same of home, as it was after its last migration.
create table tenantry.home_schema (
  one_row boolean primary key default true check (one_row),
  digest text not null,
  server_version int not null,
  lines text[] not null
);

-- The number goes into the ids of the placement's rows: 24 bits, never used twice.
create sequence tenantry.placement_numbers as int minvalue 1 maxvalue 16777215;

create table tenantry.placements (
  id uuid primary key,
  number int not null unique default nextval('tenantry.placement_numbers'),
  organization_id uuid not null references tenantry.organizations,
  region_id uuid not null references tenantry.regions,
  database_id int not null references tenantry.tenant_databases,
  isolation text not null check (isolation in ('DEDICATED', 'SHARED')),
  state text not null check (state in ('PROVISIONING', 'ACTIVE', 'MOVING', 'SUSPENDED', 'REVOKING', 'FAILED')),
  failure text,
  -- A suspended placement takes no reads and writes; its database is dropped after this moment unless that is undone.
  drop_after timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint placements_organization_region_key unique (organization_id, region_id)
);
create index placements_region_id on tenantry.placements (region_id, id);
create index placements_database_id on tenantry.placements (database_id);

create function tenantry.placement_notify() returns trigger language plpgsql as $$
begin
  perform pg_notify('tenantry_placement', coalesce(new.id, old.id)::text);
  return null;
end $$;
create trigger placement_notify after insert or update or delete on tenantry.placements
  for each row execute function tenantry.placement_notify();

-- Whoever remembers where a placement is must hear that its schema is another one.
create function tenantry.schema_version_notify() returns trigger language plpgsql as $$
begin
  perform pg_notify('tenantry_placement', p.id::text) from tenantry.placements p where p.database_id = new.id;
  return null;
end $$;
create trigger schema_version_notify after update of engine_version, app_version on tenantry.tenant_databases
  for each row when ((old.engine_version, old.app_version) is distinct from (new.engine_version, new.app_version))
  execute function tenantry.schema_version_notify();

-- Numbers of placements that are gone and whose rows were imported into another placement: the ids of those rows lead there.
-- Besides its own number a placement can have any of these.
create table tenantry.adopted_numbers (
  number int primary key check (number between 1 and 16777215),
  -- null: that one is gone too; the number waits for the next import and is nobody else's.
  placement_id uuid references tenantry.placements on delete set null
);
create index adopted_numbers_placement_id on tenantry.adopted_numbers (placement_id);

-- An export of another installation can bring a number that the sequence here has yet to reach: it goes past it.
create function tenantry.skip_adopted_number() returns trigger language plpgsql as $$
begin
  while exists (select from tenantry.adopted_numbers where number = new.number) loop
    new.number := nextval('tenantry.placement_numbers');
  end loop;
  return new;
end $$;
create trigger skip_adopted_number before insert on tenantry.placements
  for each row execute function tenantry.skip_adopted_number();

-- Moves: a placement goes to another tenant database while it is used. A row is there from the beginning until nothing of the
-- placement is left in the database where it is not.
create table tenantry.moves (
  placement_id uuid primary key references tenantry.placements on delete cascade,
  from_database_id int not null references tenantry.tenant_databases,
  to_database_id int not null references tenantry.tenant_databases,
  -- The one of both in which the placement is not: until the switch where it goes to, from then on where it came from. What that
  -- one sends to the catalog waits in the inbox.
  other_database_id int not null references tenantry.tenant_databases,
  step text not null default 'PREPARING' check (step in (
    'PREPARING', 'COPYING', 'FOLLOWING', 'COMPARING', 'SWITCHING', 'KEEPING_SOURCE', 'CLEANING', 'CANCELLING')),
  -- How long changes flow back after the switch, in seconds.
  keep_source_seconds int not null default 0 check (keep_source_seconds >= 0),
  -- Content may pass a process that works for neither region.
  goes_through_others boolean not null default false,
  -- Of the job's attempt that works on it: an earlier one, which does not know yet that it is over, switches nothing.
  attempt uuid,
  started_at timestamptz not null default now(),
  -- Set when somebody called it off. After the switch: it is to go back.
  cancelled_at timestamptz,
  switched_at timestamptz,
  -- Until when changes flow back.
  keep_until timestamptz,
  -- When the content of both sides was last found equal.
  verified_at timestamptz,
  -- The tables that were copied whole, with their schema.
  copied_tables text[] not null default '{}',
  rows_copied bigint not null default 0,
  bytes_copied bigint not null default 0,
  -- By the statistics of the source; null: not known.
  rows_total bigint,
  -- What the target has yet to receive.
  lag_bytes bigint,
  -- The longest time that writes were held, in milliseconds; null: not yet.
  held_ms float8,
  -- The mark of what the subscription of its stream was told, and why the gateway ended that stream for good; null: it has not.
  told text,
  breach text,
  -- What was found, in sentences without secrets.
  findings text[] not null default '{}',
  check (from_database_id <> to_database_id and other_database_id in (from_database_id, to_database_id))
);
create index moves_from_database_id on tenantry.moves (from_database_id);
create index moves_to_database_id on tenantry.moves (to_database_id);
create index moves_other_database_id on tenantry.moves (other_database_id);

-- The switch: has the placement be in one of the two databases of its move, from the commit on, if it is in the other one and,
-- on its way there, nobody has called the move off. Returns whether it is there now; null: there is no such move. Asked again,
-- it says the same. No row of the catalog is touched. An erasure that is due in the one is due in the other.
create function tenantry.switch_placement(of_placement uuid, into_database int, by_attempt uuid) returns boolean language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  leaves int;
begin
  select p.database_id into leaves from tenantry.placements p join tenantry.moves m on m.placement_id = p.id
    where p.id = of_placement and into_database in (m.from_database_id, m.to_database_id) for update of p;
  if leaves is null or leaves = into_database then
    return leaves = into_database;
  end if;
  update tenantry.moves m
    set other_database_id = leaves,
        switched_at = case when into_database = m.to_database_id then clock_timestamp() else m.switched_at end
    where m.placement_id = of_placement and m.other_database_id = into_database and m.attempt = by_attempt
      and (m.cancelled_at is null or into_database = m.from_database_id);
  if not found then
    return false;
  end if;
  update tenantry.placements p
    set database_id = d.id, region_id = d.region_id, isolation = d.isolation, state = 'ACTIVE', updated_at = clock_timestamp()
    from tenantry.tenant_databases d where d.id = into_database and p.id = of_placement;
  insert into tenantry.erasures_due (user_id, database_id)
    select e.user_id, into_database from tenantry.erasures_due e where e.database_id = leaves order by e.user_id
    on conflict do nothing;
  return true;
end $$;

-- Whoever remembers where a placement is, or watches it, hears of what its move has come to; not of how many rows were copied.
create function tenantry.move_notify() returns trigger language plpgsql as $$
begin
  perform pg_notify('tenantry_placement', coalesce(new.placement_id, old.placement_id)::text);
  return null;
end $$;
create trigger move_notify after insert or delete on tenantry.moves
  for each row execute function tenantry.move_notify();
create trigger move_notify_update after update on tenantry.moves
  for each row when ((old.step, old.other_database_id, old.cancelled_at, old.keep_until)
                     is distinct from (new.step, new.other_database_id, new.cancelled_at, new.keep_until))
  execute function tenantry.move_notify();

-- What home sends: the directory of each tenant database
-- ------------------------------------------------------

-- Need to know: per tenant database the organizations placed there and their members. Maintained by the
-- triggers below, published per database with a row filter on database_id.
create table tenantry.directory_organizations (
  database_id int not null references tenantry.tenant_databases on delete cascade,
  organization_id uuid not null,
  name text not null check (char_length(name) between 1 and 200),
  created_at timestamptz not null check (tenantry.is_moment(created_at)),
  primary key (database_id, organization_id)
);
create table tenantry.directory_members (
  database_id int not null references tenantry.tenant_databases on delete cascade,
  organization_id uuid not null,
  user_id uuid not null,
  role text not null check (char_length(role) between 1 and 20),
  joined_at timestamptz not null check (tenantry.is_moment(joined_at)),
  name text not null check (char_length(name) between 1 and 200),
  email text not null check (char_length(email) between 3 and 320),
  user_created_at timestamptz not null check (tenantry.is_moment(user_created_at)),
  primary key (database_id, organization_id, user_id)
);
create index directory_members_user_id on tenantry.directory_members (user_id);

-- Whose data was erased, or is being erased. Without a foreign key: a home that was restored may not know the user.
create table tenantry.erasures (
  user_id uuid primary key,
  -- A UUIDv7. The entry of each organization's audit log has it too.
  id uuid not null,
  erased_at timestamptz not null,
  -- Whether home's own rows still have to be looked at.
  home_is_due boolean not null default true
);
-- The tenant databases that an erasure has yet to reach.
create table tenantry.erasures_due (
  user_id uuid not null references tenantry.erasures on delete cascade,
  database_id int not null references tenantry.tenant_databases on delete cascade,
  -- Another one each time that it is asked for: who began before an import or a restore brought rows back does not take it for done.
  asked uuid not null default gen_random_uuid(),
  primary key (user_id, database_id)
);
create index erasures_due_database_id on tenantry.erasures_due (database_id);

-- Two transactions that each miss the other's row would leave a member out for good. So everything that
-- projects locks the organization first (a placement against memberships) and then the user (against a change
-- of name), and reads after the lock: in READ COMMITTED each statement then sees what the other committed.

--
-- A placement of an organization with very many members takes them in pieces, each in a transaction of its own: else the
-- organization and all of its people were locked for as long as that takes. From the moment on that the organization's row is in
-- the directory, who joins, leaves or is renamed is taken in by the triggers; the pieces bring those who were there before.

-- Takes the next members, at most so many, in the order of their ids. Returns the last of them; null: there are no more. By way of
-- indexes, whatever the planner believes of tables that were filled a moment ago.
create function tenantry.project_members(of_database int, of_organization uuid, after uuid, most int) returns uuid
  language plpgsql set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  people uuid[];
begin
  perform 1 from tenantry.organizations where id = of_organization for no key update;
  people := array(
    select m.user_id from tenantry.memberships m
    where m.organization_id = of_organization and m.user_id > coalesce(after, '00000000-0000-0000-0000-000000000000')
    order by m.user_id limit most);
  perform 1 from tenantry.users u where u.id = any(people) order by u.id for share;
  insert into tenantry.directory_members
      (database_id, organization_id, user_id, role, joined_at, name, email, user_created_at)
    select d.database_id, m.organization_id, m.user_id, m.role, m.joined_at, u.name, u.email, u.created_at
    from unnest(people) as person (id)
    join tenantry.memberships m on m.organization_id = of_organization and m.user_id = person.id
    -- A region that does not know somebody is not told of them after their erasure.
    join tenantry.users u on u.id = m.user_id and u.erased_at is null
    -- Not where the organization was taken out meanwhile.
    join tenantry.directory_organizations d on d.database_id = of_database and d.organization_id = m.organization_id
    on conflict do nothing;
  return case when cardinality(people) = most then people[most] end;
end $$;

-- Whether every member is in the directory of a database.
create function tenantry.is_projected(of_database int, of_organization uuid) returns boolean language sql stable
  return not exists (
    select from tenantry.memberships m join tenantry.users u on u.id = m.user_id and u.erased_at is null
    where m.organization_id = of_organization and not exists (
      select from tenantry.directory_members d
      where d.database_id = of_database and d.organization_id = of_organization and d.user_id = m.user_id));

-- The members of most organizations are there with their placement. The job that makes the placement brings the others
-- (engine/placements/project-members.ts).
create function tenantry.project_placement() returns trigger language plpgsql as $$
declare
  ending timestamptz;
begin
  select deleting_at into ending from tenantry.organizations where id = new.organization_id for update;
  -- Whoever asked for its end has listed the placements that end: there must be no other.
  if not found or ending is not null then
    raise exception 'organization % is being deleted', new.organization_id using errcode = 'foreign_key_violation';
  end if;
  -- A region that a move leaves still has rows of the organization, and one that it goes to is getting them.
  if exists (select from tenantry.moves m join tenantry.placements p on p.id = m.placement_id
             join tenantry.tenant_databases d on d.id in (m.from_database_id, m.to_database_id)
             where p.organization_id = new.organization_id and d.region_id = new.region_id) then
    raise exception 'a placement of organization % is being moved from or to region %', new.organization_id, new.region_id
      using errcode = 'exclusion_violation';
  end if;
  insert into tenantry.directory_organizations (database_id, organization_id, name, created_at)
    select new.database_id, o.id, o.name, o.created_at
    from tenantry.organizations o where o.id = new.organization_id
    on conflict do nothing;
  perform tenantry.project_members(new.database_id, new.organization_id, null, 1000);
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

-- The end of an organization that somebody asked for, in the transaction that takes its last placement away.
create function tenantry.delete_organization_with_last() returns trigger language plpgsql as $$
begin
  perform 1 from tenantry.organizations where id = old.organization_id for update;
  delete from tenantry.organizations o
    where o.id = old.organization_id and o.deleting_at is not null
      and not exists (select from tenantry.placements p where p.organization_id = o.id);
  return null;
end $$;
create trigger with_last_placement after delete on tenantry.placements
  for each row execute function tenantry.delete_organization_with_last();

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
    where d.organization_id = new.organization_id and u.id = new.user_id and u.erased_at is null
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

select tenantry.directory('tenantry.directory_organizations', '{database_id,organization_id,name,created_at}');
select tenantry.directory('tenantry.directory_members',
  '{database_id,organization_id,user_id,role,joined_at,name,email,user_created_at}');

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

-- Links
-- -----

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
  -- How often it was woken, carried everything and was parked again; how often its copy was seeded, the first time included.
  wakes bigint not null default 0,
  seeds bigint not null default 0,
  seeded_at timestamptz,
  -- How far the subscriber had come when it was last parked: a subscriber that remembers less was restored from a backup.
  subscription_oid oid,
  origin_lsn pg_lsn,
  -- System identifier and timeline of both servers, read before the link's slot was made: to recognise a server that was promoted
  -- or restored since, also when its WAL has grown beyond where it was before. Null: nobody knows, or a server went back since.
  -- Written when a link is seeded and at no other time: carrying proves nothing about what a server has forgotten.
  home_history text check (home_history ~ '^-?\d{1,19}/[0-9A-F]{8}$'),
  region_history text check (region_history ~ '^-?\d{1,19}/[0-9A-F]{8}$'),
  -- A mark of what the subscription was told of the gateway when it was last written, without a secret. Another one than it is
  -- to be told now: it is told before it is woken.
  told text,
  primary key (database_id, direction)
);
create index links_waiting on tenantry.links (database_id) where waiting_since is not null;

-- How far a region's WAL was flushed when its links were last swept. A server that is behind it was restored. Not with the
-- region, whose changes are announced to every process.
create table tenantry.region_positions (
  region_id uuid primary key references tenantry.regions on delete cascade,
  wal_position pg_lsn not null
);

-- Sign-in
-- -------

-- Which user an identity provider's subject is. Issuer and subject together name a person for good; an address does not.
create table tenantry.identities (
  issuer text not null check (char_length(issuer) between 1 and 500),
  subject text not null check (char_length(subject) between 1 and 255),
  user_id uuid not null references tenantry.users on delete cascade,
  created_at timestamptz not null default now(),
  primary key (issuer, subject)
);
create index identities_user_id on tenantry.identities (user_id);

-- Who is erased does not sign in again as the same user, and the provider's name for them is personal data too.
create function tenantry.erase_identities() returns trigger language plpgsql as $$
begin
  delete from tenantry.identities where user_id = new.id;
  -- Invitations hold the address that they went to.
  update tenantry.invitations
    set email = new.email, revoked_at = case when accepted_at is null then coalesce(revoked_at, now()) else revoked_at end
    where accepted_by = new.id or tenantry.address_key(email) = tenantry.address_key(old.email);
  return null;
end $$;
create trigger erase_identities after update of erased_at on tenantry.users
  for each row when (new.erased_at is not null) execute function tenantry.erase_identities();

-- A person whom a subject no longer is does not go on following as them.
create function tenantry.identity_notify() returns trigger language plpgsql as $$
begin
  perform pg_notify('tenantry_sign_in', old.user_id::text);
  return null;
end $$;
create trigger identity_notify_linked after update of user_id on tenantry.identities
  for each row when (old.user_id <> new.user_id) execute function tenantry.identity_notify();
create trigger identity_notify_deleted after delete on tenantry.identities
  for each row execute function tenantry.identity_notify();

create table tenantry.api_keys (
  id uuid primary key,
  name text not null check (tenantry.is_name(name)),
  -- SHA-256 of 256 random bits: nothing that could be guessed, so nothing that has to be slow.
  secret_hash bytea not null check (octet_length(secret_hash) = 32),
  -- Null: an operator's key.
  organization_id uuid references tenantry.organizations on delete cascade,
  role text check (role in ('OWNER', 'ADMIN', 'MEMBER', 'VIEWER')),
  -- An operator's key that may change nothing.
  read_only boolean not null default false,
  -- `operator` or a user's id; no foreign key, as the record outlives them.
  created_by text not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null check (expires_at <= created_at + interval '366 days'),
  revoked_at timestamptz,
  last_used_at timestamptz,
  check ((organization_id is null) = (role is null)),
  check (organization_id is null or not read_only)
);
create index api_keys_organization_id on tenantry.api_keys (organization_id, id);

-- Processes remember a key for a moment, and followers for as long as they follow: both must hear of its end.
create function tenantry.api_key_notify() returns trigger language plpgsql as $$
begin
  perform pg_notify('tenantry_sign_in', old.id::text);
  return null;
end $$;
create trigger api_key_notify_revoked after update of revoked_at on tenantry.api_keys
  for each row when (old.revoked_at is distinct from new.revoked_at) execute function tenantry.api_key_notify();
create trigger api_key_notify_deleted after delete on tenantry.api_keys
  for each row execute function tenantry.api_key_notify();

-- Who has a role in an organization: its members, and its keys while they are good. What an actor may see is asked here.
create view tenantry.roles (organization_id, holder_id, role) as
  select organization_id, user_id, role from tenantry.memberships
  union all
  select organization_id, id, role from tenantry.api_keys
    where organization_id is not null and revoked_at is null and expires_at > now();

-- Processes remember for a moment who has which role. Somebody who lost one, or has another, must be forgotten at once. Who
-- got their first is not remembered as having none.
create function tenantry.roles_notify() returns trigger language plpgsql as $$
begin
  perform pg_notify('tenantry_roles', '');
  return null;
end $$;
create trigger roles_notify after update or delete on tenantry.memberships
  for each statement execute function tenantry.roles_notify();

-- What has changed
-- ----------------

-- What followers of an organization are told: which of its members and which of its rows in the catalog were made, changed or
-- deleted. Ids only. Kept for hours: the program takes old lines away (engine/events/prune-changes.ts). Nothing here refers to
-- another table: a line outlives what it is about.
create table tenantry.changes (
  id bigint generated always as identity primary key,
  organization_id uuid not null,
  -- Of the app, as the team calls it, or `tenantry.memberships`.
  table_name text not null,
  -- Of a row; of a member the user.
  subject_id uuid not null,
  kind text not null check (kind in ('CREATED', 'UPDATED', 'DELETED')),
  at timestamptz not null default clock_timestamp(),
  -- The transaction that made the change (engine/events/event-log.ts).
  xact xid8 not null default pg_current_xact_id()
);
create index changes_xact on tenantry.changes (organization_id, xact);

-- Runs in apply workers too, nested in the guard, so it announces nothing: whoever announces waits for others' commits
-- (engine/events/change-hub.ts). With its owner's rights: nobody else writes here.
create function tenantry.add_change(organization uuid, of_table text, subject uuid, kind text) returns void language plpgsql
  security definer set search_path = pg_catalog, pg_temp set standard_conforming_strings = on as $$
begin
  insert into tenantry.changes (organization_id, table_name, subject_id, kind) values ($1, $2, $3, $4);
end $$;
revoke execute on function tenantry.add_change from public;

create function tenantry.note_membership() returns trigger language plpgsql security definer
  set search_path = pg_catalog, pg_temp set standard_conforming_strings = on as $$
begin
  if tg_op = 'INSERT' then
    perform tenantry.add_change(new.organization_id, 'tenantry.memberships', new.user_id, 'CREATED');
  elsif tg_op = 'DELETE' then
    perform tenantry.add_change(old.organization_id, 'tenantry.memberships', old.user_id, 'DELETED');
  elsif old.* is distinct from new.* then
    perform tenantry.add_change(new.organization_id, 'tenantry.memberships', new.user_id, 'UPDATED');
  end if;
  perform pg_notify('tenantry_change', coalesce(new.organization_id, old.organization_id)::text);
  return null;
end $$;
create trigger note_membership after insert or update or delete on tenantry.memberships
  for each row execute function tenantry.note_membership();

-- Of each table of the catalog. An organization hears of its own rows only, also when a row comes to belong to another one.
create function tenantry.note_catalog_row() returns trigger language plpgsql security definer
  set search_path = pg_catalog, pg_temp set standard_conforming_strings = on as $$
declare
  of_table constant text := 'app.' || tg_table_name;
begin
  if tg_op = 'UPDATE' and old.organization_id = new.organization_id then
    perform tenantry.add_change(new.organization_id, of_table, new.id, 'UPDATED');
    return null;
  end if;
  if tg_op <> 'INSERT' then
    perform tenantry.add_change(old.organization_id, of_table, old.id, 'DELETED');
  end if;
  if tg_op <> 'DELETE' then
    perform tenantry.add_change(new.organization_id, of_table, new.id, 'CREATED');
  end if;
  return null;
end $$;

-- Who sees what
-- -------------

-- The API signs in with a role that owns nothing. Of the catalog and of the default organization's content it sees what the
-- caller may see, who is named in a setting for the time of one statement; without it there are no rows.
create function tenantry.viewer() returns text language sql stable parallel safe
  return nullif(current_setting('tenantry.viewer', true), '');

-- The viewer's id; null: the operator, or nobody.
create function tenantry.viewer_id() returns uuid language sql stable parallel safe
  return case when tenantry.viewer() <> 'operator' then tenantry.viewer()::uuid end;

-- Home's own content is the default organization's. Its tables are made by the app's migrations, as a tenant database's are:
-- whoever was named sees that organization's rows.
create function tenantry.scope_organization() returns uuid language sql stable parallel safe
  return case when tenantry.viewer() is not null then tenantry.default_organization() end;
create function tenantry.scope_placement() returns int language sql stable parallel safe
  return case when tenantry.viewer() is not null then 0 end;

-- What tenant databases say by placement: the default organization's content stays at home, where it is never closed to writes.
create function tenantry.takes_writes() returns boolean language sql immutable parallel safe
  return true;
create function tenantry.apply_moves(declared regclass, flows boolean) returns void language sql
  as $$ select $$;
create function tenantry.forget_moves(name text) returns void language sql
  as $$ select $$;

-- What regions send: the catalog
-- ------------------------------

-- The inbox: what tenant databases send to the catalog arrives here. Whoever administers a region's server can send anything,
-- so all of it is input. Replication writes it as a role that may write here and nowhere else, the seed writes it as the
-- operator; the guard below takes each row into the catalog or refuses it. Without row-level security: PostgreSQL does not
-- apply as a role that is subject to it.
create schema tenantry_inbox;

-- Which tenant database sends, and null for whoever sends for none. A process that applies is known by its subscription;
-- only one that applies nothing, as the seed does, can name the database in a setting.
create function tenantry.catalog_sender() returns int language plpgsql volatile
  set search_path = pg_catalog, pg_temp as $$
declare
  known text;
  subscription oid;
  sender int;
begin
  -- PostgreSQL gives this setting to every process that applies; to a session only a superuser can give it. Looking through the
  -- workers takes longer than all else that is done with a row, so the answer is kept until the transaction ends.
  if current_setting('session_replication_role') = 'replica' then
    known := current_setting('tenantry.applies_for', true);
    if split_part(known, ' ', 1) = pg_backend_pid()::text then
      return split_part(known, ' ', 2)::int;
    end if;
    -- Not by the view, which reads every subscription of the server.
    subscription := (select w.subid from pg_stat_get_subscription(null) w where w.pid = pg_backend_pid());
  end if;
  if subscription is null then
    -- An inbox's role applies for subscriptions and does nothing else: a session of it names no database.
    if session_user ~ '^tenantry_[0-9a-f]{8}_inbox$' then
      return null;
    end if;
    return nullif(current_setting('tenantry.catalog_sender', true), '')::int;
  end if;
  sender := (select (regexp_match(s.subname, '_([0-9]{1,9})_catalog$'))[1]::int from pg_subscription s where s.oid = subscription);
  if sender is not null then
    perform set_config('tenantry.applies_for', pg_backend_pid() || ' ' || sender, true);
  end if;
  return sender;
end $$;

-- The number of the placement to which the id of a sent row leads: its own, where the id has one that it adopted. Below zero: it is
-- on a move and is not in the database that sent the row, which waits in the inbox. Null: the id leads to no placement of that
-- database. With the organization of the row, it is null also where that one is another's or is not in the database's directory.
--
-- While a placement is on a move, whoever applies something of it holds its lock until their transaction ends. So nobody decides by
-- where the placement was and writes after tenantry.settle_catalog has begun to compare. The placement is read again when the
-- lock is there; hence the function is volatile.
create function tenantry.place_of(sent_database int, sent_id uuid, sent_organization uuid default null) returns int
  language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  leads_to int := tenantry.placement_number_of(sent_id);
  placed int;
  placed_in int;
  placed_id uuid;
begin
  -- Without a join: this runs for each row.
  select p.number, p.database_id, p.id into placed, placed_in, placed_id from tenantry.placements p
    where p.number = leads_to and (sent_organization is null or p.organization_id = sent_organization);
  if placed is null then
    select p.number, p.database_id, p.id into placed, placed_in, placed_id
      from tenantry.adopted_numbers a join tenantry.placements p on p.id = a.placement_id
      where a.number = leads_to and (sent_organization is null or p.organization_id = sent_organization);
  end if;
  if placed is null or (sent_organization is not null and not exists (
      select from tenantry.directory_organizations d
      where d.database_id = sent_database and d.organization_id = sent_organization)) then
    return null;
  end if;
  if exists (select from tenantry.moves m where m.placement_id = placed_id) then
    perform pg_advisory_xact_lock_shared(tenantry.move_lock(), placed);
    return (select case sent_database when p.database_id then p.number when m.other_database_id then - p.number end
            from tenantry.placements p left join tenantry.moves m on m.placement_id = p.id where p.number = placed);
  end if;
  return case when placed_in = sent_database then placed end;
end $$;

-- What the first key of an advisory lock on a placement that is on a move is; the second one is its number. LOCK_CLASS of
-- base/postgres/session-lock.ts has it too.
create function tenantry.move_lock() returns int language sql immutable parallel safe return 7365012;

-- Why tenantry.place_of knows no place for a row, in words that follow "because".
create function tenantry.why_no_place(sent_database int, sent_organization uuid) returns text
  language sql stable as $$
  select case when exists (
      select from tenantry.directory_organizations d
      join tenantry.placements p on p.organization_id = d.organization_id
      left join tenantry.moves m on m.placement_id = p.id
      where d.database_id = sent_database and d.organization_id = sent_organization
        and sent_database in (p.database_id, m.other_database_id))
    then 'its id does not lead to a placement of its organization in this database'
    else 'its organization has no placement in this database' end;
$$;

-- The catalog: the columns that flow, of the rows of all databases. An id is in it once, whichever database the row is in: it stays
-- as it is when its placement moves. Which database may send it, the placement to which its id leads says, so that no tenant
-- database can reach another's row. A tenant database of an older version sends fewer columns, so others than the key may be
-- null. Each table has an inbox in schema `tenantry_inbox`, a guard, and a copy of the default organization's rows, which are
-- here at home. They are made when a migration calls tenantry.catalog, with the table's own rules written out, so that a row
-- costs no look at the rules.
create schema catalog;

-- Makes what one table's catalog needs, or gives it the columns that it lacks.
create function tenantry.apply_catalog(declared regclass, columns text[]) returns void language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  bare text := (select quote_ident(relname) from pg_class where oid = declared);
  kept text := 'catalog.' || bare;
  inbox text := 'tenantry_inbox.' || bare;
  one record;
begin
  if to_regclass(kept) is null then
    -- `placement_number`: the placement's own, also where the id has one that it adopted. 0: the row is home's.
    execute format('create table %s (placement_number int not null, id uuid primary key, organization_id uuid not null)', kept);
    execute format('create index on %s (organization_id, id)', kept);
    execute format('create index on %s (placement_number, id)', kept);
    -- Not forced: the guard writes as the owner.
    execute format('alter table %s enable row level security', kept);
    -- The viewer's organizations are asked for once in a statement, and not for each row.
    execute format('create policy visible_to_viewer on %s for select
      using ((select tenantry.viewer()) is not null
             and (organization_id = tenantry.default_organization() or (select tenantry.viewer()) = ''operator''
                  or organization_id in (
                    select s.organization_id from tenantry.roles s where s.holder_id = (select tenantry.viewer_id()))))', kept);
    execute format('grant usage on schema catalog to %I', tenantry.api_role());
    execute format('grant select on %s to %I', kept, tenantry.api_role());
    -- A mirror of what was sent. A refused row stays with its key alone, so that a later change of it finds it. `fault`: why the
    -- row is not in the catalog, in words that follow "because". Null: it is there.
    execute format('create table %s (database_id int not null, id uuid not null, organization_id uuid, %s fault text,
      primary key (database_id, id))', inbox, (
        select string_agg(format('%I %s,', attname, format_type(atttypid, atttypmod)), ' '
                          order by array_position(columns, attname::text))
        from pg_attribute where attrelid = declared and attname = any(columns)));
    execute format('create index on %s (database_id, id) where fault is not null', inbox);
  end if;
  for one in
    select attname as name, format_type(atttypid, atttypmod) as type from pg_attribute
    where attrelid = declared and attname = any(columns) order by array_position(columns, attname::text)
  loop
    if not exists (select from pg_attribute where attrelid = kept::regclass and attname = one.name and not attisdropped) then
      execute format('alter table %s add column %I %s', kept, one.name, one.type);
      execute format('alter table %s add column if not exists %I %s', inbox, one.name, one.type);
    elsif not exists (select from pg_attribute where attrelid = kept::regclass and attname = one.name
                      and format_type(atttypid, atttypmod) = one.type) then
      raise exception 'tenantry.catalog: %.% has another type than before. Tenant databases of the version before send the old one: add a column instead.',
        declared, quote_ident(one.name) using errcode = 'datatype_mismatch';
    end if;
  end loop;
  -- The rows here are home's: one that named another database would get into its part of the catalog.
  execute format('create or replace trigger own_rows_only before insert or update of database_id on %s
    for each row execute function tenantry.own_rows_only()', declared);
  perform tenantry.write_guard(declared);
  -- Rows that were here before. From now on a trigger copies them.
  execute format('insert into %1$s as kept (placement_number, id, organization_id%2$s) select 0, id, organization_id%2$s from %4$s
    on conflict (id) do update set (organization_id%2$s) = row(excluded.organization_id%3$s) where kept.placement_number = 0',
    kept,
    (select string_agg(format(', %I', name), '' order by rank) from unnest(columns) with ordinality as listed (name, rank)),
    (select string_agg(format(', excluded.%I', name), '' order by rank) from unnest(columns) with ordinality as listed (name, rank)),
    declared);
end $$;

-- A name as names are compared and put in order: without upper case, and no longer than an index takes. Not by the server's
-- `lower`, which depends on the locale and on the version of a library: an index on that would be wrong after an upgrade.
-- Latin, Greek, Cyrillic, Armenian and Georgian letters have a lower case here. A name of 25 letters takes 1 µs, and 140 µs where
-- some of them are not of ASCII.
create function tenantry.name_key(name text) returns text language sql immutable parallel safe
  return case when octet_length(name) = char_length(name) then left(lower(name collate "C"), 200)
    else translate(left(lower(name collate "C"), 200),
      'ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞĀĂĄĆĈĊČĎĐĒĔĖĘĚĜĞĠĢĤĦĨĪĬĮĲĴĶĹĻĽĿŁŃŅŇŊŌŎŐŒŔŖŘŚŜŞŠŢŤŦŨŪŬŮŰŲŴŶŸŹŻŽƁƂƄƆƇƉƊƋ'
      'ƎƏƐƑƓƔƖƗƘƜƝƟƠƢƤƦƧƩƬƮƯƱƲƳƵƷƸƼǄǅǇǈǊǋǍǏǑǓǕǗǙǛǞǠǢǤǦǨǪǬǮǱǲǴǶǷǸǺǼǾȀȂȄȆȈȊȌȎȐȒȔȖȘȚȜȞȠȢȤȦȨȪȬȮȰȲȺȻȽȾɁɃɄɅɆɈɊɌɎͰ'
      'ͲͶͿΆΈΉΊΌΎΏΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩΪΫϏϘϚϜϞϠϢϤϦϨϪϬϮϴϷϹϺϽϾϿЀЁЂЃЄЅІЇЈЉЊЋЌЍЎЏАБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫ'
      'ЬЭЮЯѠѢѤѦѨѪѬѮѰѲѴѶѸѺѼѾҀҊҌҎҐҒҔҖҘҚҜҞҠҢҤҦҨҪҬҮҰҲҴҶҸҺҼҾӀӁӃӅӇӉӋӍӐӒӔӖӘӚӜӞӠӢӤӦӨӪӬӮӰӲӴӶӸӺӼӾԀԂԄԆԈԊԌԎԐԒԔԖԘԚԜԞԠԢԤԦ'
      'ԨԪԬԮԱԲԳԴԵԶԷԸԹԺԻԼԽԾԿՀՁՂՃՄՅՆՇՈՉՊՋՌՍՎՏՐՑՒՓՔՕՖႠႡႢႣႤႥႦႧႨႩႪႫႬႭႮႯႰႱႲႳႴႵႶႷႸႹႺႻႼႽႾႿჀჁჂჃჄჅჇჍᲉᲐᲑᲒᲓᲔᲕᲖᲗᲘᲙᲚᲛᲜᲝᲞᲟᲠ'
      'ᲡᲢᲣᲤᲥᲦᲧᲨᲩᲪᲫᲬᲭᲮᲯᲰᲱᲲᲳᲴᲵᲶᲷᲸᲹᲺᲽᲾᲿḀḂḄḆḈḊḌḎḐḒḔḖḘḚḜḞḠḢḤḦḨḪḬḮḰḲḴḶḸḺḼḾṀṂṄṆṈṊṌṎṐṒṔṖṘṚṜṞṠṢṤṦṨṪṬṮṰṲṴṶṸṺṼṾẀẂẄẆẈẊẌ'
      'ẎẐẒẔẞẠẢẤẦẨẪẬẮẰẲẴẶẸẺẼẾỀỂỄỆỈỊỌỎỐỒỔỖỘỚỜỞỠỢỤỦỨỪỬỮỰỲỴỶỸỺỼỾἈἉἊἋἌἍἎἏἘἙἚἛἜἝἨἩἪἫἬἭἮἯἸἹἺἻἼἽἾἿὈὉὊὋὌὍὙὛὝὟὨὩὪὫὬὭὮ'
      'ὯᾈᾉᾊᾋᾌᾍᾎᾏᾘᾙᾚᾛᾜᾝᾞᾟᾨᾩᾪᾫᾬᾭᾮᾯᾸᾹᾺΆᾼῈΈῊΉῌῘῙῚΊῨῩῪΎῬῸΌῺΏῼＡＢＣＤＥＦＧＨＩＪＫＬＭＮＯＰＱＲＳＴＵＶＷＸＹＺ',
      'àáâãäåæçèéêëìíîïðñòóôõöøùúûüýþāăąćĉċčďđēĕėęěĝğġģĥħĩīĭįĳĵķĺļľŀłńņňŋōŏőœŕŗřśŝşšţťŧũūŭůűųŵŷÿźżžɓƃƅɔƈɖɗƌ'
      'ǝəɛƒɠɣɩɨƙɯɲɵơƣƥʀƨʃƭʈưʊʋƴƶʒƹƽǆǆǉǉǌǌǎǐǒǔǖǘǚǜǟǡǣǥǧǩǫǭǯǳǳǵƕƿǹǻǽǿȁȃȅȇȉȋȍȏȑȓȕȗșțȝȟƞȣȥȧȩȫȭȯȱȳⱥȼƚⱦɂƀʉʌɇɉɋɍɏͱ'
      'ͳͷϳάέήίόύώαβγδεζηθικλμνξοπρστυφχψωϊϋϗϙϛϝϟϡϣϥϧϩϫϭϯθϸϲϻͻͼͽѐёђѓєѕіїјљњћќѝўџабвгдежзийклмнопрстуфхцчшщъы'
      'ьэюяѡѣѥѧѩѫѭѯѱѳѵѷѹѻѽѿҁҋҍҏґғҕҗҙқҝҟҡңҥҧҩҫҭүұҳҵҷҹһҽҿӏӂӄӆӈӊӌӎӑӓӕӗәӛӝӟӡӣӥӧөӫӭӯӱӳӵӷӹӻӽӿԁԃԅԇԉԋԍԏԑԓԕԗԙԛԝԟԡԣԥԧ'
      'ԩԫԭԯաբգդեզէըթժիլխծկհձղճմյնշոչպջռսվտրցւփքօֆⴀⴁⴂⴃⴄⴅⴆⴇⴈⴉⴊⴋⴌⴍⴎⴏⴐⴑⴒⴓⴔⴕⴖⴗⴘⴙⴚⴛⴜⴝⴞⴟⴠⴡⴢⴣⴤⴥⴧⴭᲊაბგდევზთიკლმნოპჟრ'
      'სტუფქღყშჩცძწჭხჯჰჱჲჳჴჵჶჷჸჹჺჽჾჿḁḃḅḇḉḋḍḏḑḓḕḗḙḛḝḟḡḣḥḧḩḫḭḯḱḳḵḷḹḻḽḿṁṃṅṇṉṋṍṏṑṓṕṗṙṛṝṟṡṣṥṧṩṫṭṯṱṳṵṷṹṻṽṿẁẃẅẇẉẋẍ'
      'ẏẑẓẕßạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹỻỽỿἀἁἂἃἄἅἆἇἐἑἒἓἔἕἠἡἢἣἤἥἦἧἰἱἲἳἴἵἶἷὀὁὂὃὄὅὑὓὕὗὠὡὢὣὤὥὦ'
      'ὧᾀᾁᾂᾃᾄᾅᾆᾇᾐᾑᾒᾓᾔᾕᾖᾗᾠᾡᾢᾣᾤᾥᾦᾧᾰᾱὰάᾳὲέὴήῃῐῑὶίῠῡὺύῥὸόὼώῳａｂｃｄｅｆｇｈｉｊｋｌｍｎｏｐｑｒｓｔｕｖｗｘｙｚ') end;

-- A moment as text, in the order of time: microseconds since the year -1199, in 18 digits. It takes every moment, as an error
-- would halt the stream of a tenant database.
create function tenantry.time_key(moment timestamptz) returns text language sql immutable parallel safe
  return lpad(((extract(epoch from greatest(least(moment, '9999-12-31 23:59:59Z'), '0001-01-01 00:00:00Z') - timestamptz 'epoch')
    * 1000000)::bigint + 100000000000000000)::text, 18, '0');

-- Whose rows and of which placement, by its number: 44 characters, with which every place in an order begins.
create function tenantry.owner_key(organization uuid, number int) returns text language sql immutable parallel safe
  return organization::text || lpad(to_hex(number), 8, '0');

-- Has the catalog list a table in the order of columns, without a scan, of any placement of any organization. For each it
-- has a column `order_by_<column>`, which says whose row it is, of which placement, and its place. One column, as with several
-- PostgreSQL may use another index that begins with the same one, and then sorts all rows of the organization. A column, as
-- row-level security lets no index serve a condition on an expression.
create function tenantry.apply_catalog_orders(declared regclass, columns text[]) returns void language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  kept regclass := (select format('catalog.%I', relname) from pg_class where oid = declared)::regclass;
  one record;
begin
  for one in
    select a.attname as name, 'order_by_' || a.attname as key, format_type(a.atttypid, a.atttypmod) as type
    from unnest(columns) with ordinality as listed (name, rank) join pg_attribute a on a.attrelid = kept and a.attname = listed.name
    where not a.attisdropped order by listed.rank
  loop
    if not exists (select from pg_attribute where attrelid = kept and attname = one.key and not attisdropped) then
      execute format('alter table %s add column %I text collate "C" generated always as (
          tenantry.owner_key(organization_id, placement_number) || coalesce(tenantry.%I(%I), '''')) stored',
        kept, one.key, case one.type when 'text' then 'name_key' else 'time_key' end, one.name);
      execute format('create index on %s (%I, id)', kept, one.key);
    end if;
  end loop;
end $$;

-- Makes a function or a trigger of the catalog where it is not there as it should be. Else nothing is locked: each start of the
-- program comes here, also while rows arrive. The functions run in apply workers, which take the settings of the database: the
-- rules that are written out in them hold literals, with backslashes too, that another session would read otherwise, and an
-- error that they catch must not end the worker.
create function tenantry.put_function(name text, body text) returns void language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if not exists (select from pg_proc where oid = to_regprocedure(format('catalog.%I()', name)) and prosrc = body) then
    execute format('create or replace function catalog.%I() returns trigger language plpgsql security definer
      set search_path = pg_catalog, pg_temp set standard_conforming_strings = on set exit_on_error = off as %L', name, body);
  end if;
end $$;
create function tenantry.put_trigger(target regclass, name text, mode "char", definition text) returns void language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if not exists (select from pg_trigger where tgrelid = target and tgname = name and tgenabled = mode) then
    execute format('create or replace trigger %I %s', name, definition);
    execute format('alter table %s enable %s trigger %I', target, case mode when 'A' then 'always' else '' end, name);
  end if;
end $$;

-- Writes the functions and triggers of one table's catalog from the rules that the table has now. The program calls it at each
-- start too, as a migration can change a rule without another call of tenantry.catalog.
create function tenantry.write_guard(declared regclass) returns void language plpgsql
  set search_path = pg_catalog, pg_temp set standard_conforming_strings = on set quote_all_identifiers = off as $$
declare
  bare text := (select quote_ident(relname) from pg_class where oid = declared);
  kept regclass := ('catalog.' || bare)::regclass;
  inbox regclass := ('tenantry_inbox.' || bare)::regclass;
  names text;
  updates text;
  own_values text;
  sent_values text;
  rules text;
  write constant text := 'insert into %s as kept (placement_number, %s) values (%s, %s)
    on conflict (id) do update set placement_number = excluded.placement_number, %s
      where %s(kept.*) is distinct from (excluded.*);';
begin
  -- A value that an older database does not send is the column's default, where that is a constant and the column needs one.
  select string_agg(quote_ident(c.attname), ', ' order by c.attnum),
    string_agg(format('%1$I = excluded.%1$I', c.attname), ', ' order by c.attnum) filter (where c.attname <> 'id'),
    string_agg(format('new.%I', c.attname), ', ' order by c.attnum),
    string_agg(case when a.attnotnull and pg_get_expr(d.adbin, d.adrelid) !~ '[(]'
      then format('coalesce(new.%I, %s)', c.attname, pg_get_expr(d.adbin, d.adrelid))
      else format('new.%I', c.attname) end, ', ' order by c.attnum)
  into names, updates, own_values, sent_values
  from pg_attribute c
  left join pg_attribute a on a.attrelid = declared and a.attname = c.attname and not a.attisdropped
  left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  where c.attrelid = kept and c.attnum > 0 and not c.attisdropped and c.attgenerated = '' and c.attname <> 'placement_number';
  -- The table's own rules about columns that flow. A check may be null, as in a table.
  select string_agg(format('when %s then %L', condition, words), E'\n      ' order by position, words) into rules
  from (
    select 1 as position, format('sent.%I is null', a.attname) as condition, format('its %s is missing', a.attname) as words
    from pg_attribute a join pg_attribute c on c.attrelid = kept and c.attname = a.attname and not c.attisdropped
    where a.attrelid = declared and a.attnotnull and a.attnum > 0 and not a.attisdropped
      and a.attname not in ('database_id', 'id', 'organization_id')
      -- Where a rule of the table says it in its own words, those are better.
      and not exists (select from pg_constraint k where k.conrelid = declared and k.contype = 'c' and k.conkey = array[a.attnum]
                      and obj_description(k.oid, 'pg_constraint') is not null)
    union all
    select 2, format('not (%s)', pg_get_expr(k.conbin, k.conrelid)),
      coalesce(obj_description(k.oid, 'pg_constraint'), 'it breaks the rule ' || k.conname)
    from pg_constraint k where k.conrelid = declared and k.contype = 'c'
      and not exists (select from unnest(k.conkey) as used (attnum)
                      join pg_attribute a on a.attrelid = declared and a.attnum = used.attnum
                      where not exists (select from pg_attribute c where c.attrelid = kept and c.attname = a.attname and not c.attisdropped))
  ) as found;

  -- The one way into the catalog for what is streamed and what is seeded. No content of a row makes it fail, as that would halt
  -- the stream: a row that may not be in the catalog is kept with its fault. Returning null leaves out a row of another
  -- database, and the stream goes on.
  perform tenantry.put_function('guard_' || bare, format('
#variable_conflict use_column
<<guard>>
declare
  sender int := tenantry.catalog_sender();
  removed uuid := case when tg_op <> ''INSERT'' then old.id end;
  place int;
  refused %1$s;
begin
  if guard.sender is null then
    raise exception ''only replication writes into the inbox'' using errcode = ''insufficient_privilege'';
  end if;
  if (tg_op <> ''INSERT'' and old.database_id <> guard.sender)
     or (tg_op <> ''DELETE'' and (new.database_id is distinct from guard.sender or new.id is null)) then
    raise warning ''tenantry: a catalog row without the number of database %%, which sent it, was left out'', guard.sender;
    return null;
  end if;
  if tg_op = ''DELETE'' then
    if tenantry.place_of(guard.sender, guard.removed) > 0 then
      delete from %2$s where id = guard.removed;
    end if;
    return old;
  end if;
  if guard.removed is distinct from new.id then
    -- A copy or a replay sends rows that are already here, and a key can change to one that is: the newer one replaces.
    delete from %1$s where database_id = guard.sender and id = new.id;
    if guard.removed is not null and tenantry.place_of(guard.sender, guard.removed) > 0 then
      delete from %2$s where id = guard.removed;
    end if;
  end if;
  guard.place := case when new.organization_id is not null then tenantry.place_of(guard.sender, new.id, new.organization_id) end;
  new.fault := case when guard.place is null then tenantry.why_no_place(guard.sender, new.organization_id) end;
  if new.fault is null then
    begin
      -- Texts are proved to be texts before a rule reads them. The bound comes before that: what is longer is not worth reading.
      new.fault := case when octet_length(new::text) > 65536 or convert_to(new::text, ''UTF8'') is null
        then ''it is longer than 64 kB or has a text that is no UTF-8'' end;
    exception when data_exception then
      new.fault := ''it is longer than 64 kB or has a text that is no UTF-8'';
    end;
  end if;
%3$s
  if new.fault is null then
    if guard.place > 0 then
      %4$s
    end if;
    return new;
  end if;
  if coalesce(guard.place, tenantry.place_of(guard.sender, new.id)) > 0 then
    delete from %2$s where id = new.id;
  end if;
  guard.refused.database_id := new.database_id;
  guard.refused.id := new.id;
  guard.refused.fault := new.fault;
  return guard.refused;
end',
    inbox, kept,
    case when rules is null then '' else format('  if new.fault is null then
    begin
      select case
      %s end
      into new.fault from (select %s) as sent (%s);
    exception when others then
      new.fault := ''one of its values cannot be checked'';
    end;
  end if;', rules, sent_values, names) end,
    format(write, kept, names, 'guard.place', sent_values, updates, '')));
  -- Not for the guard's own statements, of which the depth is 1.
  perform tenantry.put_trigger(inbox, 'guard_catalog', 'A', format('before insert or update or delete on %s
    for each row when (pg_trigger_depth() = 0) execute function catalog.%s()', inbox, 'guard_' || bare));
  -- Followers hear of what the guard and the copy below write.
  perform tenantry.put_trigger(kept, 'note_row', 'A', format('after insert or update or delete on %s
    for each row execute function tenantry.note_catalog_row()', kept));

  -- The default organization's rows are in the catalog at once, without a placement: its number is 0. They take no row of a
  -- placement's.
  perform tenantry.put_function('copy_' || bare, format('
begin
  if tg_op = ''DELETE'' or (tg_op = ''UPDATE'' and old.id <> new.id) then
    delete from %1$s where placement_number = 0 and id = old.id;
  end if;
  if tg_op <> ''DELETE'' then
    %2$s
  end if;
  return null;
end', kept, format(write, kept, names, '0', own_values, updates, 'kept.placement_number = 0 and ')));
  perform tenantry.put_trigger(declared, 'copy_to_catalog', 'O', format('after insert or update or delete on %s
    for each row execute function catalog.%s()', declared, 'copy_' || bare));
end $$;

-- Makes what the catalog has of a placement equal to what the database that it is in has sent, and writes what differs alone. After
-- the switch of a move: what the target had sent before has waited in the inbox. Call it when the target's catalog link has carried
-- everything: rows that have not come are taken out. One piece of one table: it goes through `most` rows behind `after` and returns
-- the last of them; null: there are no more.
create function tenantry.settle_catalog(of_table name, of_placement uuid, after uuid, most int) returns uuid language plpgsql
  set search_path = pg_catalog, pg_temp set enable_seqscan = off set enable_bitmapscan = off as $$
declare
  kept regclass := format('catalog.%I', of_table)::regclass;
  inbox regclass := format('tenantry_inbox.%I', of_table)::regclass;
  behind constant uuid := coalesce(after, '00000000-0000-0000-0000-000000000000');
  own int;
  owner uuid;
  placed_in int;
  columns text;
  up_to uuid;
begin
  select p.number into own from tenantry.placements p where p.id = of_placement;
  -- Whoever has decided before by where the placement was has ended then.
  perform pg_advisory_xact_lock(tenantry.move_lock(), own);
  select p.organization_id, p.database_id into owner, placed_in from tenantry.placements p where p.id = of_placement;
  select string_agg(format('%1$s.%2$I', '%1$s', attname), ', ' order by attnum) into columns from pg_attribute
    where attrelid = kept and attnum > 0 and not attisdropped and attgenerated = '' and attname not in ('placement_number', 'id');
  -- Nothing else than the database's key leads to the rows of one placement in the inbox.
  execute format('select ends.last from (
      (select i.id as last from %s i where i.database_id = $1 and i.id > $3 order by i.id offset $4 - 1 limit 1)
      union all
      (select k.id from %s k where k.placement_number = $2 and k.id > $3 order by k.id offset $4 - 1 limit 1)) ends order by 1 limit 1', inbox, kept)
    into up_to using placed_in, own, behind, most;
  execute format('delete from %1$s k where k.placement_number = $2 and k.id > $3 and ($4::uuid is null or k.id <= $4)
      and not exists (select from %2$s i where i.database_id = $1 and i.id = k.id and i.fault is null)', kept, inbox)
    using placed_in, own, behind, up_to;
  -- By way of the guard, which knows the values that an older database does not send, and writes nothing that is there already.
  perform set_config('tenantry.catalog_sender', placed_in::text, true);
  execute format('update %2$s i set id = i.id where i.database_id = $1 and i.organization_id = $2 and i.fault is null
      and i.id > $3 and ($4::uuid is null or i.id <= $4)
      and not exists (select from %1$s k where k.id = i.id and (%3$s) is not distinct from (%4$s))',
      kept, inbox, format(columns, 'k'), format(columns, 'i'))
    using placed_in, owner, behind, up_to;
  perform set_config('tenantry.catalog_sender', '', true);
  return up_to;
end $$;

-- Takes out of the catalog what no served version sends any more. `served`: each table with the columns that one sends.
-- The program calls it at each start, with what the migrations said; it also writes the guards anew where a rule has changed.
create function tenantry.align_catalog(served jsonb) returns void language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  one record;
begin
  for one in select relname from pg_class where relnamespace = 'catalog'::regnamespace and relkind = 'r' loop
    if not served ? one.relname::text then
      execute format('drop table catalog.%1$I, tenantry_inbox.%1$I', one.relname);
      execute format('drop function catalog.%I() cascade', 'guard_' || one.relname);
      execute format('drop function catalog.%I() cascade', 'copy_' || one.relname);
    end if;
  end loop;
  for one in
    select c.relname, a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid
    where c.relnamespace = 'catalog'::regnamespace and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped
      and a.attgenerated = '' and a.attname <> 'placement_number' and not (served -> c.relname::text) ? a.attname::text
  loop
    -- With what puts it in order.
    execute format('alter table catalog.%I drop column %I cascade', one.relname, one.attname);
    execute format('alter table tenantry_inbox.%I drop column %I', one.relname, one.attname);
  end loop;
  perform tenantry.write_guard(c.oid) from pg_class c
    where c.relnamespace = 'app'::regnamespace and to_regclass(format('catalog.%I', c.relname)) is not null and c.relkind = 'r';
end $$;

-- How many rows of tenant databases are refused now, up to 1,000 of each, and why the first of them is; of those that have any.
-- With its owner's rights: the API shows it to the operator, and its role reads nothing of the inbox itself. One statement however
-- many databases there are: with one for each, 1,000 took a second.
create function tenantry.refused_rows(of_databases int[]) returns table (database_id int, refused int, fault text)
  language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  statement text;
begin
  select string_agg(format(
      'select d.id as database_id, %L as inbox, i.rows, i.first
       from (select distinct id from unnest($1) as given (id)) d
       cross join lateral (
         select count(*)::int as rows, (array_agg(f.fault order by f.id))[1] as first from (
           select t.id, t.fault from %s t where t.database_id = d.id and t.fault is not null order by t.id limit 1000) f) i
       where i.rows > 0', c.relname, c.oid::regclass), ' union all ')
    into statement from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attname = 'fault' and not a.attisdropped
    where c.relnamespace = 'tenantry_inbox'::regnamespace and c.relkind = 'r';
  if statement is null then return; end if;
  return query execute format(
    'select x.database_id, least(sum(x.rows), 1000)::int, (array_agg(x.first order by x.inbox))[1]
     from (%s) x group by x.database_id', statement) using of_databases;
end $$;

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
-- Rows that replication brings belong into the inbox and nowhere else.
create function tenantry.refuse_replicated_row() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp set standard_conforming_strings = on as $$
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

-- Gives a table the triggers that it lacks. The app may truncate its own tables in schema home, and replication may not.
create function tenantry.protect(one regclass) returns void language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  fires text := case when (select relnamespace = to_regnamespace('home') from pg_class where oid = one)
                  then 'replica' else 'always' end;
begin
  if not exists (select from pg_trigger where tgrelid = one and tgname = 'refuse_truncate'
                 and tgenabled = (case fires when 'replica' then 'R' else 'A' end)::"char") then
    execute format('create or replace trigger refuse_truncate before truncate on %s
      for each statement execute function tenantry.refuse_truncate()', one);
    execute format('alter table %s enable %s trigger refuse_truncate', one, fires);
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
    and c.relnamespace in ('tenantry'::pg_catalog.regnamespace, 'tenantry_inbox'::pg_catalog.regnamespace,
                           'catalog'::pg_catalog.regnamespace, 'app'::pg_catalog.regnamespace,
                           pg_catalog.to_regnamespace('home'));
$$;

-- Jobs
-- ----

-- What was asked for that touches several servers, how far it is, and what came of it.
create table tenantry.jobs (
  id uuid primary key,
  kind text not null,
  -- What it is about. Two jobs on one subject never run at the same time.
  subject text not null,
  -- No foreign keys: the record outlives what it is about.
  placement_id uuid,
  organization_id uuid,
  region_id uuid,
  -- `operator`, `system`, or a user's id.
  requested_by text not null,
  requested_at timestamptz not null default now(),
  -- What it needs to know, without secrets.
  input jsonb not null default '{}',
  -- The trace of what has asked for it, as W3C writes it; null where traces are off.
  traceparent text check (length(traceparent) <= 100),
  tracestate text check (length(tracestate) <= 512),
  state text not null default 'WAITING' check (state in ('WAITING', 'RUNNING', 'DONE', 'FAILED', 'CANCELLED')),
  step text,
  attempts int not null default 0,
  -- One sentence without secrets.
  last_error text,
  -- When it is to run (again).
  due_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz,
  result jsonb
);
create index jobs_due on tenantry.jobs (due_at) where state in ('WAITING', 'RUNNING');
create index jobs_failed on tenantry.jobs (kind) where state = 'FAILED';
create index jobs_organization_id on tenantry.jobs (organization_id, id) where organization_id is not null;
create index jobs_subject on tenantry.jobs (subject, kind, id);
create index jobs_open on tenantry.jobs (id) where state in ('WAITING', 'RUNNING', 'FAILED');
create index jobs_placement_id on tenantry.jobs (placement_id, id) where placement_id is not null;
-- Asking twice for the same is asking once.
create unique index jobs_active_key on tenantry.jobs (kind, subject) where state in ('WAITING', 'RUNNING');

create table tenantry.job_steps (
  job_id uuid not null references tenantry.jobs on delete cascade,
  name text not null,
  attempts int not null default 0,
  started_at timestamptz,
  finished_at timestamptz,
  primary key (job_id, name)
);

create function tenantry.job_notify() returns trigger language plpgsql as $$
begin
  perform pg_notify('tenantry_job', new.id || ' ' || coalesce(new.placement_id::text, '-') || ' ' || new.state);
  return null;
end $$;
create trigger job_notify after insert or update on tenantry.jobs
  for each row execute function tenantry.job_notify();

-- The audit log
-- -------------

-- The audit log: who did what to what, when, from where, with which outcome. Ids only: no names, texts, e-mail
-- addresses or secrets. Nothing here refers to another table: entries outlive what they are about.
create table tenantry.audit_log (
  -- UUIDv7, made by the process that wrote the entry: the order of the log, also across databases.
  id uuid primary key,
  -- By this database's clock.
  at timestamptz not null default clock_timestamp(),
  -- Whom it concerns besides the operator; null: nobody, or not known when it began.
  organization_id uuid,
  placement_id uuid,
  who text not null check (who in ('OPERATOR', 'USER', 'KEY')),
  -- The user or the key; of an operator the key, or the subject of the token.
  who_id text check (char_length(who_id) <= 255),
  via text not null check (via in ('DEVELOPMENT', 'KEY', 'TOKEN', 'COMMAND_LINE', 'LIBRARY', 'JOB')),
  address inet,
  user_agent text check (char_length(user_agent) <= 200),
  action text not null check (char_length(action) between 1 and 60),
  -- A table with its schema, where a team's program has written a row.
  subject_kind text check (char_length(subject_kind) between 1 and 60),
  subject_id text check (char_length(subject_id) between 1 and 60),
  -- OK or the code of the error, where it was known when the entry was written. Null: a line of audit_outcomes says it, and
  -- while there is none nobody knows.
  outcome text check (char_length(outcome) between 1 and 40),
  -- The transaction that wrote it, for whoever follows what is added (engine/events/event-log.ts).
  xact xid8 not null default pg_current_xact_id()
);
-- What was written of the default organization's content.
create index audit_log_xact on tenantry.audit_log (xact) where organization_id is null and outcome = 'OK';
create index audit_log_organization_id on tenantry.audit_log (organization_id, id) where organization_id is not null;

-- How what an entry says was begun has ended, and what was known only then. One for each entry, never two.
create table tenantry.audit_outcomes (
  entry_id uuid primary key,
  at timestamptz not null default clock_timestamp(),
  outcome text not null check (char_length(outcome) between 1 and 40),
  organization_id uuid,
  placement_id uuid,
  subject_id text check (char_length(subject_id) between 1 and 60)
);
create index audit_outcomes_organization_id on tenantry.audit_outcomes (organization_id, entry_id)
  where organization_id is not null;

-- Append-only, for the owner of the tables too: whoever means to change the log has to change the schema first.
create function tenantry.refuse_audit_change() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp set standard_conforming_strings = on as $$
begin
  raise exception 'the audit log is append-only' using errcode = 'insufficient_privilege';
end $$;
create trigger append_only before update or delete or truncate on tenantry.audit_log
  for each statement execute function tenantry.refuse_audit_change();
create trigger append_only before update or delete or truncate on tenantry.audit_outcomes
  for each statement execute function tenantry.refuse_audit_change();
-- Also for a session that says it is a replica.
alter table tenantry.audit_log enable always trigger append_only;
alter table tenantry.audit_outcomes enable always trigger append_only;

-- The entry of a row of the default organization that a team's program has written (tenantry.tenant_table).
create function tenantry.record_write() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp set quote_all_identifiers = off as $$
declare
  actor text := tenantry.scope_actor();
begin
  insert into tenantry.audit_log (id, who, who_id, via, action, subject_kind, subject_id, outcome)
  values (tenantry.new_id(), case actor when 'operator' then 'OPERATOR' else 'USER' end, nullif(actor, 'operator'), 'LIBRARY',
          lower(tg_op collate "C"), format('%I.%I', tg_table_schema, tg_table_name),
          case tg_op when 'DELETE' then old.id else new.id end, 'OK');
  return null;
end $$;

-- The ledger of the border
-- ------------------------

-- The ledger of the border: what crossed between home and the regions, and what was refused. Nothing here refers to another
-- table: evidence outlives what it is about.

-- What crossed, one row a day (UTC), link, table and way. Sums only grow.
create table tenantry.border_days (
  day date not null,
  database_id int not null check (database_id > 0),
  -- Of a move, the tenant database is the one that its rows come from.
  direction text not null check (direction in ('directory', 'catalog', 'move')),
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
  -- Of a move: where its rows went. Else it is no region, and the key is empty, as it is a part of this table's.
  to_region_id uuid,
  to_region_key text not null default '' check (char_length(to_region_key) <= 40),
  check ((direction = 'move') = (to_region_key <> '') and (to_region_id is null) = (to_region_key = '')),
  primary key (day, database_id, direction, table_name, way, to_region_key)
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
  direction text check (direction in ('directory', 'catalog', 'move')),
  -- The name that was given: nobody has checked it.
  user_name text check (char_length(user_name) between 1 and 63),
  code text not null check (code in (
    'unknown-user', 'wrong-password', 'not-allowed-command', 'table-not-listed', 'column-not-listed', 'truncate', 'malformed',
    'too-many', 'row-refused', 'subscription-changed')),
  sentence text not null check (char_length(sentence) between 1 and 500)
);

-- For the owner of the tables too: whoever means to change the ledger has to change the schema first.
create function tenantry.refuse_ledger_change() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp set standard_conforming_strings = on as $$
begin
  raise exception 'the ledger of the border is append-only' using errcode = 'insufficient_privilege';
end $$;

create function tenantry.refuse_smaller_sums() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp set standard_conforming_strings = on as $$
begin
  if (new.day, new.database_id, new.direction, new.table_name, new.way, new.region_id, new.region_key,
      new.to_region_id, new.to_region_key)
       is distinct from
     (old.day, old.database_id, old.direction, old.table_name, old.way, old.region_id, old.region_key,
      old.to_region_id, old.to_region_key)
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

-- The tables that a team has at home only, for the whole of its installation: no organization's, and nothing of them flows.
create schema home;

-- Roles
-- -----

-- What the API's role may do at home.
create function tenantry.rights_of_api() returns table (kind text, object text, privileges text[]) language plpgsql stable
  set search_path = pg_catalog, pg_temp as $$
begin
  return query
    select 'schema', one, '{usage}'::text[] from unnest('{tenantry,catalog,app,home}'::text[]) as one
    union all
    select 'table', format('%I.%I', n.nspname, c.relname),
      case
        when n.nspname = 'catalog' then '{select}'
        when c.relname = 'identity' then '{select}'
        -- It writes entries of the audit log and reads them, and shows the ledger to the operator. It changes neither.
        when c.relname in ('audit_log', 'audit_outcomes') then '{select,insert}'
        when c.relname in ('border_days', 'border_refusals', 'changes') then '{select}'
        else '{select,insert,update,delete}'
      end::text[]
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('tenantry', 'catalog') and c.relkind in ('r', 'p', 'v')
      -- What it has no business with: the installation's secrets, what was migrated, what the migrations said and made.
      and c.relname not in ('installation', 'migrations', 'declarations', 'reference_schemas', 'home_schema')
    union all
    select 'sequence', format('%I.%I', n.nspname, c.relname), '{usage}'
    from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'tenantry' and c.relkind = 'S'
    union all
    select 'table', declared, '{select,insert,update,delete}' from tenantry.declared_tables() as declared;
end $$;
select tenantry.admit_api(tenantry.api_role());

-- The role that owns home's catalog subscriptions, and so the one that applies what regions send: it may write into the inbox,
-- and has no other right and no password. PostgreSQL 15 and 16 start no process for a role without LOGIN. The program calls
-- this at each start: a home that was restored on another server lacks the role there.
create function tenantry.ensure_inbox_role() returns void language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  inbox text := 'tenantry_' || (select id from tenantry.installation) || '_inbox';
begin
  if not exists (select from pg_roles where rolname = inbox) then
    begin
      execute format('create role %I login', inbox);
    exception when duplicate_object or unique_violation then null;
    end;
  end if;
  -- In its own name: what everybody may can be taken from everybody.
  if not exists (
    select from pg_database d, aclexplode(d.datacl) a
    where d.datname = current_database() and a.grantee = inbox::regrole and a.privilege_type = 'CONNECT'
  ) then
    execute format('grant connect on database %I to %I', current_database(), inbox);
  end if;
  if not has_schema_privilege(inbox, 'tenantry_inbox', 'usage') then
    execute format('grant usage on schema tenantry_inbox to %I', inbox);
  end if;
  if exists (
    select from pg_class c, unnest('{select,insert,update,delete}'::text[]) as wanted (privilege)
    where c.relnamespace = 'tenantry_inbox'::regnamespace and c.relkind in ('r', 'p')
      and not has_table_privilege(inbox, c.oid, wanted.privilege)
  ) then
    execute format('grant select, insert, update, delete on all tables in schema tenantry_inbox to %I', inbox);
  end if;
  -- A role that is no superuser hands a subscription over only to a role that it can be, and changes it only with that role's
  -- rights. Before 16 a membership has no options.
  if not pg_has_role(current_user, inbox, 'usage') or
     (current_setting('server_version_num')::int >= 160000 and not pg_has_role(current_user, inbox, 'set')) then
    execute format('grant %I to %I%s', inbox, current_user,
      case when current_setting('server_version_num')::int >= 160000 then ' with inherit true, set true' end);
  end if;
end $$;
select tenantry.ensure_inbox_role();

select tenantry.close_large_objects();

-- By default every role may make temporary tables here, and where the database was once of PostgreSQL 14 or older also tables
-- in the schema public. Only the owner can change that, or a superuser.
do $$ begin
  if pg_has_role((select datdba from pg_database where datname = current_database()), 'usage') then
    execute format('revoke temporary on database %I from public', current_database());
  end if;
  if pg_has_role((select nspowner from pg_namespace where nspname = 'public'), 'usage') then
    revoke create on schema public from public;
  end if;
end $$;
