import { z } from "zod";
import { bound, choice, list, refused, type ValuesOf, variable } from "#config/variable";

const ROLES = ["all", "api", "worker"] as const;
const LOG_LEVELS = ["silent", "fatal", "error", "warn", "info", "debug", "trace"] as const;
const LOG_FORMATS = ["text", "json", "json-words"] as const;

export const HOME = {
  title: "Home and roles",
  about: "",
  fields: {
    databaseUrl: variable("DATABASE_URL", z.string().min(1).optional(), {
      meaning:
        "The connection URL of home, with the database's name. The database must exist. With this variable no embedded server starts.",
      example: "postgres://tenantry:secret@db.example.com:5432/tenantry",
      isSecret: true,
    }),
    databasePoolUrl: variable("DATABASE_POOL_URL", z.string().min(1).optional(), {
      meaning:
        "A [connection pooler](../how-to/pooler.md) in front of home, for the API. The URL has no user, password or database. Add `?prepared_statements=true` where the pooler carries prepared statements.",
      otherwise: "the API reaches home itself",
      example: "postgres://pooler.example.com:6432",
    }),
    secretKey: variable("TENANTRY_SECRET_KEY", z.string().min(1).optional(), {
      meaning:
        "32 bytes in base64 or hexadecimal. The key encrypts the regions' connection URLs. It is required with `DATABASE_URL`. `openssl rand -base64 32` makes one.",
      otherwise: "kept in the data folder",
      isSecret: true,
    }),
    /** Keys that stored secrets may still be encrypted with. */
    previousSecretKeys: variable("TENANTRY_SECRET_KEY_PREVIOUS", list(10_000), {
      meaning:
        "Keys that still decrypt, separated by commas, while [the key is changed](../how-to/rotate-keys.md#the-secret-key).",
      isSecret: true,
    }),
    dataDir: variable("TENANTRY_DATA_DIR", z.string().min(1).optional(), {
      meaning: "The folder where the embedded servers keep their data.",
      otherwise: "`.tenantry` in the working folder",
      example: "/var/lib/tenantry",
    }),
    role: variable("TENANTRY_ROLE", z.enum(ROLES).default("all"), {
      meaning:
        "What the process does. `api` serves requests. `worker` runs jobs, replication and a gateway. `all` does both. See [several processes](../how-to/several-processes.md).",
    }),
    exportFolder: variable("TENANTRY_EXPORT_DIR", z.string().min(1).optional(), {
      meaning: "The folder, on the worker's machine, where a revocation with `exportFirst` writes.",
      otherwise: "`exports` in the data folder; with `DATABASE_URL` none",
      example: "/var/lib/tenantry/exports",
    }),
    readyDatabases: variable("TENANTRY_READY_DATABASES", bound(0, 0, 100), {
      meaning:
        "How many tenant databases a worker makes [ahead of grants](../how-to/grant-fast.md) in each region. 0 makes none. All workers have the same value.",
    }),
    homeCoordinates: variable("TENANTRY_HOME_COORDINATES", z.string().min(1).optional(), {
      meaning: "Where home is on the map of the console: the latitude, a comma and the longitude, in degrees.",
      otherwise: "it is not on the map",
      example: "52.52,13.41",
    }),
    logLevel: variable("TENANTRY_LOG_LEVEL", z.enum(LOG_LEVELS).default("info"), {
      meaning: "The least severe lines that the log has.",
    }),
    /** Undefined: `text` on a terminal, else `json`. */
    logFormat: variable("TENANTRY_LOG_FORMAT", z.enum(LOG_FORMATS).optional(), {
      meaning:
        "How the log is written. `text` is for people. `json` is one JSON object a line. `json-words` is the same with levels as words and times in ISO 8601. With both, all that stands on standard output is JSON.",
      otherwise: "`text` on a terminal, else `json`",
    }),
    /** Undefined: yes. */
    logRequests: variable("TENANTRY_LOG_REQUESTS", choice(), {
      meaning:
        "Whether the log has [a line for each request](../how-to/monitor.md#the-log), at `info`. Requests for health and metrics are at `debug`.",
      otherwise: "`true`",
    }),
  },
};

export function homeSettings(values: ValuesOf<typeof HOME>): ValuesOf<typeof HOME> {
  if (values.databaseUrl !== undefined && values.secretKey === undefined)
    throw refused(
      "With DATABASE_URL, TENANTRY_SECRET_KEY must be set: it encrypts the regions' connection URLs. `openssl rand -base64 32` makes one.",
    );
  if (values.databasePoolUrl !== undefined && values.databaseUrl === undefined)
    throw refused("DATABASE_POOL_URL leads to the server of DATABASE_URL: set that too.");
  return values;
}
