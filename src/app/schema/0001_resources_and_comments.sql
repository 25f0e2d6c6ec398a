-- The app that ships: resources, which are abstract projects, and comments on them.

create table app.resources (
  database_id int not null default tenantry.database_id(),
  id uuid not null default tenantry.new_id(),
  organization_id uuid not null default tenantry.organization(),
  name text not null,
  created_by uuid,
  created_at timestamptz not null default now(),
  -- The moment of its making until it is changed.
  updated_at timestamptz not null default now(),
  primary key (database_id, id),
  -- A comment belongs to the organization of its resource. Also the order in which an organization's resources are listed.
  constraint resources_organization_key unique (organization_id, id, database_id),
  constraint resources_name_check check (tenantry.is_name(name)),
  constraint resources_created_at_check check (tenantry.is_moment(created_at)),
  constraint resources_updated_at_check check (tenantry.is_moment(updated_at))
);
-- Home says these words about a row that it refuses.
comment on constraint resources_name_check on app.resources is
  'its name is empty, longer than 200 characters, or has control characters or invisible ones';
comment on constraint resources_created_at_check on app.resources is
  'it was not created between the years 2000 and 2100';
comment on constraint resources_updated_at_check on app.resources is
  'it was not changed between the years 2000 and 2100';
select tenantry.tenant_table('app.resources');
select tenantry.catalog('app.resources', '{name,created_by,created_at,updated_at}');
select tenantry.catalog_orders('app.resources', '{name,updated_at}');
select tenantry.personal('app.resources', 'created_by', 'user');

create table app.comments (
  id uuid not null default tenantry.new_id(),
  database_id int not null default tenantry.database_id(),
  organization_id uuid not null default tenantry.organization(),
  resource_id uuid not null,
  author_id uuid not null,
  body text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  -- With the organization, which a move of a placement filters by: its stream needs no other index then.
  primary key (organization_id, id),
  constraint comments_body_check check (char_length(body) between 1 and 10000),
  constraint comments_created_at_check check (tenantry.is_moment(created_at)),
  constraint comments_updated_at_check check (tenantry.is_moment(updated_at)),
  constraint comments_resource_fkey foreign key (organization_id, resource_id, database_id)
    references app.resources (organization_id, id, database_id) on delete cascade
);
comment on constraint comments_created_at_check on app.comments is 'it was not created between the years 2000 and 2100';
comment on constraint comments_updated_at_check on app.comments is 'it was not changed between the years 2000 and 2100';
create index comments_resource_id on app.comments (resource_id, id);
select tenantry.tenant_table('app.comments');
select tenantry.personal('app.comments', 'author_id', 'user');
select tenantry.personal('app.comments', 'body', 'text');
