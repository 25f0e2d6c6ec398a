-- A tenant database: resources and comments of the placements in it, and the directory that home sends.

-- Moments lie in the years 2000 to 2099 (UTC): programs cannot write all others as a date. The bounds are seconds since 1970,
-- as the text of a moment would depend on the session's time zone. Home's tables have the same bounds: what home sends is
-- never refused here, which would halt the subscription.

-- One row, written when the database is made from the template: which tenant database this is.
create table tenantry.identity (
  installation_id text not null,
  database_id int not null,
  one_row boolean primary key default true check (one_row)
);

-- What a moment, a name and an id are: the same as at home, which refuses a row that breaks these rules.
create function tenantry.is_moment(moment timestamptz) returns boolean language sql immutable parallel safe
  -- From the year 2000 to the end of 2099, in UTC. False for null and infinity.
  return coalesce(moment >= to_timestamp(946684800) and moment < to_timestamp(4102444800), false);

-- The number of the placement that a resource's or a comment's id leads to; null for an id of another form. The layout is
-- described in base/kernel/ids.ts.
create function tenantry.placement_number_of(id uuid) returns int language sql immutable strict parallel safe
  return case when get_byte(uuid_send(id), 6) >> 4 = 7 and get_byte(uuid_send(id), 8) >> 6 = 2 then
    ((get_byte(uuid_send(id), 8) & 63) << 18) | (get_byte(uuid_send(id), 9) << 10)
    | (get_byte(uuid_send(id), 10) << 2) | (get_byte(uuid_send(id), 11) >> 6) end;

-- What validName of base/kernel/validation.ts takes. It is false for null.
create function tenantry.is_name(name text) returns boolean language sql immutable parallel safe
  return coalesce(
    char_length(name) between 1 and 200 and name collate "C" ~ '[^[:space:]]'
    and name collate "C" !~
      '[\u0001-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]',
    false);

create table tenantry.resources (
  database_id int not null,
  id uuid not null,
  organization_id uuid not null,
  name text not null check (tenantry.is_name(name)),
  created_by uuid,
  created_at timestamptz not null default now() check (tenantry.is_moment(created_at)),
  primary key (database_id, id)
);
create index resources_organization_id on tenantry.resources (organization_id, id);

-- A row with another database's id would not pass the publication's filter and so be missing from the catalog
-- in silence: refuse it here.
create function tenantry.own_rows_only() returns trigger language plpgsql as $$
begin
  if new.database_id is distinct from (select database_id from tenantry.identity) then
    raise exception 'this is not tenant database %', new.database_id using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger own_rows_only before insert or update of database_id on tenantry.resources
  for each row execute function tenantry.own_rows_only();

create table tenantry.comments (
  id uuid primary key,
  database_id int not null,
  organization_id uuid not null,
  resource_id uuid not null,
  author_id uuid not null,
  body text not null check (char_length(body) between 1 and 10000),
  created_at timestamptz not null default now() check (tenantry.is_moment(created_at)),
  foreign key (database_id, resource_id) references tenantry.resources (database_id, id) on delete cascade
);
create index comments_resource_id on tenantry.comments (resource_id, id);

create table tenantry.directory_organizations (
  database_id int not null,
  organization_id uuid not null,
  name text not null check (char_length(name) between 1 and 200),
  created_at timestamptz not null
    check (tenantry.is_moment(created_at)),
  primary key (database_id, organization_id)
);
create table tenantry.directory_members (
  database_id int not null,
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

-- Idempotent apply: a copy or a replay sends rows that are already here. An insert onto an existing key would
-- halt the subscription; the newer row replaces the older instead. Fires for replication only.
create function tenantry.replace_organization() returns trigger language plpgsql as $$
begin
  delete from tenantry.directory_organizations
    where database_id = new.database_id and organization_id = new.organization_id;
  return new;
end $$;
create trigger replace_organization before insert on tenantry.directory_organizations
  for each row execute function tenantry.replace_organization();
alter table tenantry.directory_organizations enable replica trigger replace_organization;

create function tenantry.replace_member() returns trigger language plpgsql as $$
begin
  delete from tenantry.directory_members
    where database_id = new.database_id and organization_id = new.organization_id and user_id = new.user_id;
  return new;
end $$;
create trigger replace_member before insert on tenantry.directory_members
  for each row execute function tenantry.replace_member();
alter table tenantry.directory_members enable replica trigger replace_member;
