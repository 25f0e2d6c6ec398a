-- The connection pooler by which the API reaches the region's server; null: it reaches the server itself. It holds no secret.
alter table tenantry.regions add column pool_url text;
