-- Sign-in: who is behind a token, and the keys that programs call with.

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
  return null;
end $$;
create trigger erase_identities after update of erased_at on tenantry.users
  for each row when (new.erased_at is not null) execute function tenantry.erase_identities();

create table tenantry.api_keys (
  id uuid primary key,
  name text not null check (tenantry.is_name(name)),
  -- SHA-256 of 256 random bits: nothing that could be guessed, so nothing that has to be slow.
  secret_hash bytea not null check (octet_length(secret_hash) = 32),
  -- Null: an operator's key.
  organization_id uuid references tenantry.organizations on delete cascade,
  role text check (role in ('OWNER', 'ADMIN', 'MEMBER', 'VIEWER')),
  -- `operator` or a user's id; no foreign key, as the record outlives them.
  created_by text not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null check (expires_at <= created_at + interval '366 days'),
  revoked_at timestamptz,
  last_used_at timestamptz,
  check ((organization_id is null) = (role is null))
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
create view tenantry.seats (organization_id, holder_id, role) as
  select organization_id, user_id, role from tenantry.memberships
  union all
  select organization_id, id, role from tenantry.api_keys
    where organization_id is not null and revoked_at is null and expires_at > now();
