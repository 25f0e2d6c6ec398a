-- The gateway, which all replication passes.

alter table tenantry.installation
  -- What the passwords of links are made of, encrypted. Null: not made yet.
  add column border_secret bytea,
  -- How servers reach the gateway: for processes that have none of their own. Without a secret. Null: none has run yet.
  add column gateway_address text,
  add column gateway_home_address text;

-- Another generation is another password for each of the database's links.
alter table tenantry.tenant_databases add column credential_generation int not null default 1;

-- A mark of what the subscription was told of the gateway when it was last written, without a secret. Another one than it is
-- to be told now: it is told before it is woken.
alter table tenantry.links add column told text;
