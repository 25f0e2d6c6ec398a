-- Invitations: somebody with an e-mail address may become a member, once, until a moment, by showing a token.
create table tenantry.invitations (
  id uuid primary key,
  organization_id uuid not null references tenantry.organizations on delete cascade,
  email text not null check (char_length(email) between 3 and 320 and email collate "C" ~ '^[!-~]+$'),
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

-- Letters of the last day, so that they can be bounded (engine/people/letters.ts). Nothing here refers to another table: an
-- organization that is gone has sent its letters all the same.
create table tenantry.letters (
  id uuid primary key,
  sent_at timestamptz not null default clock_timestamp(),
  -- A user's id, or that of a key which the operator made; null: the operator.
  sender text,
  organization_id uuid not null,
  -- SHA-256 of the address's key; null when the mail server did not take the letter.
  address bytea
);
create index letters_sent_at on tenantry.letters (sent_at);
create index letters_sender on tenantry.letters (sender, sent_at);
create index letters_organization_id on tenantry.letters (organization_id, sent_at);
create index letters_address on tenantry.letters (address, sent_at);
