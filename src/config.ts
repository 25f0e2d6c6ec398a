/** The only reader of `process.env`: everything is checked here, once, at start. */
import { z } from "zod";
import { TenantryError } from "#kernel/errors";
import { isLoopback, isSafeUrl } from "#kernel/loopback";

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
  TENANTRY_SECRET_KEY_PREVIOUS: z.string().optional(),
  TENANTRY_AUTH: z.enum(["development", "bearer"]).default("development"),
  OIDC_ISSUER: z.string().max(500).optional(),
  OIDC_AUDIENCE: z.string().optional(),
  TENANTRY_OIDC_CREATE_USERS: z.enum(["true", "false"]).default("false"),
  // A claim's name may have colons in it, its value not.
  TENANTRY_OPERATOR_CLAIM: z
    .string()
    .regex(/^.+:[^:]+$/, "a claim and its value are expected, as in roles:tenantry-operator")
    .optional(),
  TENANTRY_TRUST_PROXY: z.coerce.number().int().min(0).max(10).default(0),
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
  /** Keys that stored secrets may still be encrypted with. */
  previousSecretKeys: readonly string[];
  /** How callers sign in. */
  signIn: SignInConfig;
  /** Proxies in front of the API that tell the client's address in X-Forwarded-For. */
  trustedProxies: number;
  logLevel: z.infer<typeof schema>["TENANTRY_LOG_LEVEL"];
  /** Whether a package manager runs us as a script of package.json. */
  startedByScript: boolean;
};

type SignInConfig =
  | { mode: "development" }
  | {
      mode: "bearer";
      /** Undefined: API keys only. */
      oidc: { issuer: string; audience: string } | undefined;
      createUsers: boolean;
      operatorClaim: { name: string; value: string } | undefined;
    };

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
    previousSecretKeys: (values.TENANTRY_SECRET_KEY_PREVIOUS ?? "")
      .split(",")
      .map((key) => key.trim())
      .filter((key) => key !== ""),
    signIn: checkSignIn(values),
    trustedProxies: values.TENANTRY_TRUST_PROXY,
    logLevel: values.TENANTRY_LOG_LEVEL,
  };
}

function readMail({ TENANTRY_SMTP_URL: smtpUrl, TENANTRY_MAIL_FROM: from }: z.infer<typeof schema>): Config["mail"] {
  if (smtpUrl === undefined && from === undefined) return undefined;
  if (smtpUrl === undefined || from === undefined)
    throw new TenantryError("INVALID_INPUT", "TENANTRY_SMTP_URL and TENANTRY_MAIL_FROM must both be set, or neither.");
  return { smtpUrl, from };
}

function checkSignIn(values: z.infer<typeof schema>): SignInConfig {
  const { OIDC_ISSUER: issuer, OIDC_AUDIENCE: audience, TENANTRY_OPERATOR_CLAIM: claim } = values;
  const createUsers = values.TENANTRY_OIDC_CREATE_USERS === "true";
  const refuse = (message: string) => new TenantryError("INVALID_INPUT", message);
  if (values.TENANTRY_AUTH === "development") {
    if (!isLoopback(values.HOST))
      throw refuse(
        "HOST must be a loopback address such as 127.0.0.1 in development, where whoever reaches the API is the operator. Set TENANTRY_AUTH=bearer to have callers sign in.",
      );
    // Who sets these means callers to sign in.
    if (issuer !== undefined || audience !== undefined || claim !== undefined || createUsers)
      throw refuse("OIDC_ISSUER and what belongs to it counts with TENANTRY_AUTH=bearer only: set that too.");
    return { mode: "development" };
  }
  if ((issuer === undefined) !== (audience === undefined))
    throw refuse(
      "OIDC_ISSUER and OIDC_AUDIENCE must be set together: a token for another program must not count here.",
    );
  if (issuer === undefined && (claim !== undefined || createUsers))
    throw refuse("TENANTRY_OPERATOR_CLAIM and TENANTRY_OIDC_CREATE_USERS need OIDC_ISSUER and OIDC_AUDIENCE.");
  if (issuer !== undefined && !isSafeUrl(issuer))
    throw refuse("OIDC_ISSUER must be an https URL; http is for an identity provider on this machine.");
  const colon = claim?.lastIndexOf(":") ?? -1;
  return {
    mode: "bearer",
    oidc: issuer === undefined || audience === undefined ? undefined : { issuer, audience },
    createUsers,
    operatorClaim: claim === undefined ? undefined : { name: claim.slice(0, colon), value: claim.slice(colon + 1) },
  };
}
