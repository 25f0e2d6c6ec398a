/** What the engine's functions work with, as a type; src/services.ts makes it, once per process. */
import type { SecretBox } from "#base/kernel/secret-box";
import type { Tracing } from "#base/kernel/span";
import type { Logger } from "#base/observability/logger";
import type { Metrics } from "#base/observability/metrics";
import type { PoolerAddress } from "#base/postgres/connection-url";
import type { Listener, Listeners } from "#base/postgres/listener";
import type { Pools } from "#base/postgres/pools";
import type { RoleCache } from "#engine/auth/role-cache";
import type { Border } from "#engine/border/border";
import type { BorderLedger } from "#engine/border/ledger/ledger";
import type { CompareDatabases } from "#engine/doctor/drift";
import type { EraseSql } from "#engine/erasure/erase-sql";
import type { HomeContext } from "#engine/home/home";
import type { MigrationSet } from "#engine/migrations/migration-set";
import type { Letters } from "#engine/people/invitation-letter";
import type { Mailer } from "#engine/people/mail";
import type { Readings } from "#engine/readings/reading";
import type { ApiRole } from "#engine/regions/api-role";
import type { Coordinates } from "#engine/regions/coordinates";
import type { Ownership } from "#engine/regions/ownership";
import type { NudgeDesk } from "#engine/replication/nudge";
import type { Router } from "#engine/routing/routing";
import type { DeclaredTables } from "#engine/tables";

export type Services = HomeContext & {
  /** By which the API reaches home; undefined: it reaches home itself. */
  homePooler: PoolerAddress | undefined;
  pools: Pools;
  secrets: SecretBox;
  /** What the API signs in with, on home's server and the regions'. */
  apiRole: ApiRole;
  /** Whether this home may write on a region's server. */
  ownership: Ownership;
  router: Router;
  /** Who may do what with content, as it was a moment ago. */
  roleCache: RoleCache;
  /** What subscribers are told of the gateway. */
  border: Border;
  /** What tenant databases are migrated to, and what each of its versions lets flow. */
  tenantSchema: MigrationSet;
  /** What the app's migrations say about its tables. */
  tables: DeclaredTables;
  /** What erasing somebody does to the app's tables besides; undefined: nothing. */
  eraseSql: EraseSql | undefined;
  /** Hears what other processes announce at home. */
  listener: Listener;
  /** Hears what tenant databases announce, while somebody follows it. */
  listeners: Listeners;
  /** Tells carriers that something waits, and hears when it has arrived. */
  nudges: NudgeDesk;
  /** Counts what crosses between home and the regions, and what is refused there. */
  ledger: BorderLedger;
  /** What an operator must know, read once for everybody in the process. */
  readings: Readings;
  /** Sends mails. */
  mailer: Mailer;
  /** How letters of invitation look, and where they lead. */
  letters: Letters;
  /** How many databases are made ahead of grants in each region. */
  readyDatabases: number;
  /** Where exports before a revocation go; undefined: nowhere. */
  exportFolder: string | undefined;
  /** Where home is on the map; null: nobody has said. */
  homeCoordinates: Coordinates | null;
  /** Compares tenant databases with what their migrations make, as the program signs in: the API's own role may not. */
  compareDatabases: CompareDatabases;
  /** Counts what this process does. */
  metrics: Metrics;
  logger: Logger;
  /** Begins traces; undefined: they are off. */
  tracing: Tracing | undefined;
};
