-- How home's subscriptions reach a region's server, where that is another way than the program's. Encrypted by the program;
-- host and port stand beside it for people to read. Null: the same way.
alter table tenantry.regions
  add column replication_url bytea,
  add column replication_host text,
  add column replication_port int,
  add constraint regions_replication_address
    check (num_nulls(replication_url, replication_host, replication_port) in (0, 3));
