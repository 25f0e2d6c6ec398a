/** The only reader of `process.env`: everything is checked here, once, at start. */
import { z } from "zod";
import { TenantryError } from "#kernel/errors";

const ROLES = ["all", "api", "worker"] as const;

const schema = z.object({
  PORT: z.coerce.number().int().min(0).max(65_535).default(4000),
  HOST: z.string().min(1).default("127.0.0.1"),
  DATABASE_URL: z.string().min(1).optional(),
  TENANTRY_DATA_DIR: z.string().min(1).optional(),
  TENANTRY_ROLE: z.enum(ROLES).default("all"),
  TENANTRY_EXPORT_DIR: z.string().min(1).optional(),
  TENANTRY_SMTP_URL: z.string().min(1).optional(),
  TENANTRY_MAIL_FROM: z.string().min(3).optional(),
  TENANTRY_SECRET_KEY: z.string().min(1).optional(),
  TENANTRY_AUTH: z.enum(["development"]).default("development"),
  TENANTRY_LOG_LEVEL: z.enum(["silent", "fatal", "error", "warn", "info", "debug", "trace"]).default("info"),
});

export type Config = {
  port: number;
  host: string;
  /** Home by URL; undefined: embedded servers. */
  databaseUrl: string | undefined;
  /** Where embedded servers keep their data; undefined: chosen beside the program. */
  dataDir: string | undefined;
  role: (typeof ROLES)[number];
  /** Where exports before a revocation go; undefined: beside the embedded servers, else nowhere. */
  exportDir: string | undefined;
  /** The mail server for invitations, and the sender; undefined: they go to the log. */
  mail: { smtpUrl: string; from: string } | undefined;
  secretKey: string | undefined;
  logLevel: z.infer<typeof schema>["TENANTRY_LOG_LEVEL"];
  /** Whether a package manager runs us as a script of package.json. */
  startedByScript: boolean;
};

/** Addresses that only this machine can reach. */
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/;

/** Reads the environment. Throws INVALID_INPUT naming the variable, never its value. */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): Config {
  const known = new Set(Object.keys(schema.shape));
  const unknown = Object.keys(environment).filter((name) => name.startsWith("TENANTRY_") && !known.has(name));
  if (unknown.length > 0)
    throw new TenantryError(
      "INVALID_INPUT",
      `Unknown environment variable ${unknown.join(", ")}; the README lists those there are.`,
    );
  // An empty variable is an absent one, as shells and compose files leave them.
  const given = Object.fromEntries(
    Object.entries(environment).filter(([name, value]) => known.has(name) && value !== ""),
  );
  const result = schema.safeParse(given);
  if (!result.success) {
    const issue = result.error.issues[0];
    throw new TenantryError(
      "INVALID_INPUT",
      `The environment variable ${String(issue?.path[0])} is wrong: ${issue?.message}.`,
    );
  }
  return { ...check(result.data), startedByScript: environment["npm_lifecycle_event"] !== undefined };
}

function check(values: z.infer<typeof schema>): Omit<Config, "startedByScript"> {
  if (!LOOPBACK.test(values.HOST))
    throw new TenantryError(
      "INVALID_INPUT",
      "HOST must be a loopback address such as 127.0.0.1: this version has no sign-in, and whoever reaches it is the operator.",
    );
  if (values.DATABASE_URL !== undefined && values.TENANTRY_SECRET_KEY === undefined)
    throw new TenantryError(
      "INVALID_INPUT",
      "With DATABASE_URL, TENANTRY_SECRET_KEY must be set: it encrypts the regions' connection URLs. `openssl rand -base64 32` makes one.",
    );
  return {
    port: values.PORT,
    host: values.HOST,
    databaseUrl: values.DATABASE_URL,
    dataDir: values.TENANTRY_DATA_DIR,
    role: values.TENANTRY_ROLE,
    mail: readMail(values),
    exportDir: values.TENANTRY_EXPORT_DIR,
    secretKey: values.TENANTRY_SECRET_KEY,
    logLevel: values.TENANTRY_LOG_LEVEL,
  };
}

function readMail({ TENANTRY_SMTP_URL: smtpUrl, TENANTRY_MAIL_FROM: from }: z.infer<typeof schema>): Config["mail"] {
  if (smtpUrl === undefined && from === undefined) return undefined;
  if (smtpUrl === undefined || from === undefined)
    throw new TenantryError("INVALID_INPUT", "TENANTRY_SMTP_URL and TENANTRY_MAIL_FROM must both be set, or neither.");
  return { smtpUrl, from };
}
