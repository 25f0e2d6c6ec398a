-- Jobs: what was asked for that touches several servers, how far it is, and what came of it.

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

-- What waited in the queue that jobs replace.
insert into tenantry.jobs (id, kind, subject, placement_id, organization_id, region_id, requested_by)
  select gen_random_uuid(), 'provision-placement', 'placement:' || id, id, organization_id, region_id, 'system'
  from tenantry.placements where state in ('PROVISIONING', 'FAILED');
drop schema if exists graphile_worker cascade;

-- A suspended placement takes no reads and writes; its database is dropped after this moment unless that is undone.
alter table tenantry.placements add column drop_after timestamptz;

-- How far the subscriber had come when it was last parked: a subscriber that remembers less was restored from a backup.
alter table tenantry.links add column subscription_oid oid;
alter table tenantry.links add column origin_lsn pg_lsn;

-- A region that is being retired takes no more grants; its row goes when its server was cleaned up.
alter table tenantry.regions add column retired_at timestamptz;

-- Whoever keeps connections to a region's server hears that its address, its password or its standing changed.
create function tenantry.region_notify() returns trigger language plpgsql as $$
begin
  perform pg_notify('tenantry_region', coalesce(new.id, old.id)::text);
  return null;
end $$;
create trigger region_notify after update or delete on tenantry.regions
  for each row execute function tenantry.region_notify();
