/** The settings of an embedded server, written anew at every start so that a newer Tenantry brings its own. */

// Room for a few hundred tenant databases on a laptop. What these numbers reserve is small: a server with them starts
// in about 0.1 s and takes about 30 MB (PSS) at rest.
const SETTINGS: Record<string, string> = {
  wal_level: "logical",
  max_connections: "200",
  max_replication_slots: "256",
  max_wal_senders: "128",
  max_logical_replication_workers: "64",
  max_worker_processes: "96",
  max_sync_workers_per_subscription: "2",
  // How soon an apply worker that ended is started again (5 s by default). On 15 it bounds every start of one.
  wal_retrieve_retry_interval: "100ms",
  // A slot that nobody reads any more must not fill the disk. It ends slots in use too, so it is far beyond any lag
  // that the sweep of parked subscriptions lets come about.
  max_slot_wal_keep_size: "10GB",
  // A worker visits each database this often (1 min by default): with 200 of them that alone is 2 % of a core at rest.
  autovacuum_naptime: "5min",
  shared_buffers: "128MB",
  timezone: "UTC",
  log_timezone: "UTC",
  lc_messages: "C",
  // Statements that fail may hold what people wrote, or the password in a subscription's connection.
  log_min_error_statement: "panic",
  log_parameter_max_length_on_error: "0",
  // To standard error, which is a file whose size is bounded by us.
  logging_collector: "off",
  log_destination: "stderr",
  log_checkpoints: "off",
};

/** The text of the settings file. `extra` wins over what is decided here. */
export function settingsFile(majorVersion: number, extra: Record<string, string> = {}): string {
  // Until 17 origins were taken from max_replication_slots: there are as many where more are asked for.
  const slots = Math.max(...[SETTINGS, extra].map(({ max_replication_slots: given = 0 }) => Number(given)));
  const origins: Record<string, string> = majorVersion >= 18 ? { max_active_replication_origins: String(slots) } : {};
  const lines = Object.entries({ ...SETTINGS, ...origins, ...extra }).map(
    ([name, value]) => `${name} = '${value.replaceAll("'", "''")}'`,
  );
  return [
    "# Written by Tenantry at every start: what you change here is lost. ALTER SYSTEM wins over it and stays.",
    ...lines,
    "",
  ].join("\n");
}
