-- What flows between home and the tenant databases, and the guards on it.

-- Need to know: per tenant database the organizations placed there and their members. Maintained by the
-- triggers below, published per database with a row filter on database_id.
create table tenantry.directory_organizations (
  database_id int not null references tenantry.tenant_databases on delete cascade,
  organization_id uuid not null,
  name text not null check (char_length(name) between 1 and 200),
  created_at timestamptz not null
    check (created_at >= to_timestamp(946684800) and created_at < to_timestamp(4102444800)),
  primary key (database_id, organization_id)
);
create table tenantry.directory_members (
  database_id int not null references tenantry.tenant_databases on delete cascade,
  organization_id uuid not null,
  user_id uuid not null,
  role text not null check (char_length(role) between 1 and 20),
  joined_at timestamptz not null
    check (joined_at >= to_timestamp(946684800) and joined_at < to_timestamp(4102444800)),
  name text not null check (char_length(name) between 1 and 200),
  email text not null check (char_length(email) between 3 and 320),
  user_created_at timestamptz not null
    check (user_created_at >= to_timestamp(946684800) and user_created_at < to_timestamp(4102444800)),
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

-- What a tenant database sends is believed only for its own rows and for organizations placed in it: a region's
-- administrator can change what is published there. The worker that applies is known by its process; its
-- subscription's name ends in _<database id>_catalog. Returning null leaves the row out and lets the stream go on.
create function tenantry.guard_catalog() returns trigger language plpgsql as $$
declare
  sender int := (
    select (regexp_match(s.subname, '_(\d+)_catalog$'))[1]::int
    from pg_stat_subscription s where s.pid = pg_backend_pid());
  claimed int := case tg_op when 'DELETE' then old.database_id else new.database_id end;
begin
  if sender is null or sender <> claimed then
    raise warning 'tenantry: catalog row of database % sent by database % was left out', claimed, sender;
    return null;
  end if;
  if tg_op = 'DELETE' then
    return old;
  end if;
  if not exists (
    select from tenantry.directory_organizations d
    where d.database_id = new.database_id and d.organization_id = new.organization_id
  ) or char_length(new.name) not between 1 and 200 then
    raise warning 'tenantry: catalog row of database % with an organization or a name it may not have was left out', claimed;
    return null;
  end if;
  -- A copy or a replay sends rows that are already here: the newer one replaces.
  if tg_op = 'INSERT' then
    delete from tenantry.resources where database_id = new.database_id and id = new.id;
  end if;
  return new;
end $$;
create trigger guard_catalog before insert or update or delete on tenantry.resources
  for each row execute function tenantry.guard_catalog();
alter table tenantry.resources enable replica trigger guard_catalog;
