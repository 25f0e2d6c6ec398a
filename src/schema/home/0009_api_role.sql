-- The API's role on each server: what its passwords are made of, encrypted. Null: not made yet.
alter table tenantry.installation add column api_secret bytea;
