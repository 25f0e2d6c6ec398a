-- The home database: directory, catalog, the default organization's resources and comments.
--
-- Moments that are shown to people or sent to a region lie in the years 2000 to 2099 (UTC): programs cannot write all others
-- as a date. The bounds are seconds since 1970, as the text of a moment would depend on the session's time zone. Tenant
-- databases have the same bounds.

-- One row. The id is the prefix of every name Tenantry gives on a server (databases, slots, publications,
-- subscriptions), so that two installations can share one.
create table tenantry.installation (
  id text not null check (id ~ '^[0-9a-f]{8}$'),
  created_at timestamptz not null default now(),
  one_row boolean primary key default true check (one_row)
);
insert into tenantry.installation (id) values (substr(md5(gen_random_uuid()::text), 1, 8));

-- E-mail addresses are equal when these are: the one rule, whatever locale the database has. A locale's own rule would fold
-- the Kelvin sign to k, and a Turkish one would keep I and i apart.
create function tenantry.address_key(address text) returns text language sql immutable strict parallel safe
  return lower(address collate "C");

-- What validName of base/kernel/validation.ts takes: a name has no control characters, no line breaks, and nothing invisible that
-- turns or hides what stands beside it. It is false for null.
create function tenantry.is_name(name text) returns boolean language sql immutable parallel safe
  return coalesce(
    char_length(name) between 1 and 200 and name collate "C" ~ '[^[:space:]]'
    and name collate "C" !~
      '[\u0001-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]',
    false);

-- Says what a moment may be, and what an id says. The tenant databases have the same functions. Written without constants of type timestamptz,
-- which would be shown otherwise in each time zone.
create function tenantry.is_moment(moment timestamptz) returns boolean language sql immutable parallel safe
  -- From the year 2000 to the end of 2099, in UTC. False for null and infinity.
  return coalesce(moment >= to_timestamp(946684800) and moment < to_timestamp(4102444800), false);

-- The number of the placement that a resource's or a comment's id leads to; null for an id of another form. The layout is
-- described in base/kernel/ids.ts.
create function tenantry.placement_number_of(id uuid) returns int language sql immutable strict parallel safe
  return case when get_byte(uuid_send(id), 6) >> 4 = 7 and get_byte(uuid_send(id), 8) >> 6 = 2 then
    ((get_byte(uuid_send(id), 8) & 63) << 18) | (get_byte(uuid_send(id), 9) << 10)
    | (get_byte(uuid_send(id), 10) << 2) | (get_byte(uuid_send(id), 11) >> 6) end;

create table tenantry.users (
  id uuid primary key,
  name text not null check (tenantry.is_name(name)),
  -- ASCII only, as it says who somebody is: letters of other scripts can look like these.
  email text not null check (char_length(email) between 3 and 320 and email collate "C" ~ '^[!-~]+$'),
  created_at timestamptz not null default now()
    check (tenantry.is_moment(created_at))
);
create unique index users_email_key on tenantry.users (tenantry.address_key(email));

create table tenantry.organizations (
  id uuid primary key,
  name text not null check (tenantry.is_name(name)),
  created_by uuid references tenantry.users on delete set null,
  created_at timestamptz not null default now()
    check (tenantry.is_moment(created_at))
);

create table tenantry.memberships (
  organization_id uuid not null references tenantry.organizations on delete cascade,
  user_id uuid not null references tenantry.users on delete cascade,
  role text not null check (role in ('OWNER', 'ADMIN', 'MEMBER', 'VIEWER')),
  joined_at timestamptz not null default now()
    check (tenantry.is_moment(joined_at)),
  primary key (organization_id, user_id)
);
create index memberships_user_id on tenantry.memberships (user_id);

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
  created_at timestamptz not null default now()
);

-- Databases on the regions' servers. Publications, slots and subscriptions belong to these, not to placements.
-- Id 0 is home's own.
create table tenantry.tenant_databases (
  id int generated always as identity primary key,
  region_id uuid not null references tenantry.regions,
  isolation text not null check (isolation in ('DEDICATED', 'SHARED')),
  name text not null,
  schema_version int,
  created_at timestamptz not null default now(),
  unique (region_id, name)
);

-- The number goes into the ids of the placement's resources and comments: 24 bits, never used twice.
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

-- The catalog: every tenant database's resources, written by the guard of what replication brings, and the default
-- organization's own (database 0). The database's id is part of the key, so that no tenant database can reach another's row.
create table tenantry.resources (
  database_id int not null default 0,
  id uuid not null,
  organization_id uuid,
  name text not null check (char_length(name) between 1 and 200),
  created_by uuid,
  created_at timestamptz not null default now() check (tenantry.is_moment(created_at)),
  primary key (database_id, id),
  check ((database_id = 0) = (organization_id is null))
);
create index resources_organization_id on tenantry.resources (organization_id, id);
create index resources_id on tenantry.resources (id);

-- Comments on the default organization's resources. Other comments never come here.
create table tenantry.comments (
  id uuid primary key,
  database_id int not null default 0 check (database_id = 0),
  organization_id uuid check (organization_id is null),
  resource_id uuid not null,
  author_id uuid references tenantry.users on delete set null,
  body text not null check (char_length(body) between 1 and 10000),
  created_at timestamptz not null default now() check (tenantry.is_moment(created_at)),
  foreign key (database_id, resource_id) references tenantry.resources (database_id, id) on delete cascade
);
create index comments_resource_id on tenantry.comments (resource_id, id);
