/** The only reader of `process.env`: everything is checked here, once, at start. */
import { z } from "zod";
import { TenantryError } from "#base/kernel/errors";
import { API_HOME_CONNECTIONS, DEFAULT_LIMITS, type Limits } from "#base/kernel/limits";
import { isLoopback, isSafeUrl } from "#base/kernel/loopback";

const ROLES = ["all", "api", "worker"] as const;

/** A whole number that bounds something; where 0 makes sense it stands for no bound. */
const limit = (standard: number, least: number, most: number) =>
  z.coerce.number().int().min(least).max(most).default(standard);

/** Home's own, and one for a tenant database. */
const LEAST_CONNECTIONS = API_HOME_CONNECTIONS + 1;

const schema = z.object({
  PORT: z.coerce.number().int().min(0).max(65_535).default(4000),
  HOST: z.string().min(1).default("127.0.0.1"),
  DATABASE_URL: z.string().min(1).optional(),
  DATABASE_POOL_URL: z.string().min(1).optional(),
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
  TENANTRY_MAX_DEPTH: limit(DEFAULT_LIMITS.maxDepth, 1, 1_000),
  TENANTRY_MAX_ALIASES: limit(DEFAULT_LIMITS.maxAliases, 0, 10_000),
  TENANTRY_MAX_ROOT_FIELDS: limit(DEFAULT_LIMITS.maxRootFields, 1, 10_000),
  TENANTRY_MAX_TOKENS: limit(DEFAULT_LIMITS.maxTokens, 10, 100_000),
  TENANTRY_MAX_COST: limit(DEFAULT_LIMITS.maxCost, 1, 10_000_000),
  TENANTRY_MAX_BATCH: limit(DEFAULT_LIMITS.maxBatch, 1, 1_000),
  TENANTRY_MAX_BODY_BYTES: limit(DEFAULT_LIMITS.maxBodyBytes, 1_000, 100_000_000),
  TENANTRY_MAX_ANSWER_BYTES: limit(DEFAULT_LIMITS.maxAnswerBytes, 10_000, 1_000_000_000),
  TENANTRY_TIMEOUT_MS: limit(DEFAULT_LIMITS.timeoutMs, 100, 600_000),
  TENANTRY_ACTOR_POINTS_PER_SECOND: limit(DEFAULT_LIMITS.actorPointsPerSecond, 0, 1_000_000_000),
  TENANTRY_ORGANIZATION_POINTS_PER_SECOND: limit(DEFAULT_LIMITS.organizationPointsPerSecond, 0, 1_000_000_000),
  TENANTRY_ACTOR_CONCURRENCY: limit(DEFAULT_LIMITS.actorConcurrency, 0, 10_000),
  TENANTRY_ORGANIZATION_CONCURRENCY: limit(DEFAULT_LIMITS.organizationConcurrency, 0, 10_000),
  TENANTRY_STATEMENT_CONCURRENCY: limit(DEFAULT_LIMITS.statementConcurrency, 0, 10_000),
  TENANTRY_MAX_CONNECTIONS: limit(60, LEAST_CONNECTIONS, 10_000),
  TENANTRY_MAX_CONNECTIONS_PER_SERVER: limit(24, 1, 10_000),
  TENANTRY_SHARE_PORT: z.enum(["true", "false"]).default("false"),
  TENANTRY_MAX_SUBSCRIPTIONS: limit(DEFAULT_LIMITS.maxSubscriptions, 0, 1_000_000),
  TENANTRY_SIGN_IN_FAILURES_PER_MINUTE: limit(DEFAULT_LIMITS.signInFailuresPerMinute, 0, 1_000_000),
  TENANTRY_MAX_SOCKETS_SIGNING_IN: limit(DEFAULT_LIMITS.maxSocketsSigningIn, 0, 1_000_000),
  TENANTRY_INTROSPECTION: z.enum(["true", "false"]).optional(),
  TENANTRY_CORS_ORIGINS: z.string().max(10_000).default(""),
  TENANTRY_TRUSTED_PROXIES: limit(0, 0, 10),
  TENANTRY_PERSISTED_OPERATIONS: z.string().min(1).optional(),
  TENANTRY_PERSISTED_OPERATIONS_ONLY: z.enum(["true", "false"]).default("false"),
  TENANTRY_GATEWAY_LISTEN: z
    .string()
    .regex(/^(\[[0-9a-fA-F:.]+\]|[^:]+):\d{1,5}$/, "a host and a port are expected, as in 127.0.0.1:4001")
    .default("127.0.0.1:4001"),
  TENANTRY_GATEWAY_ADDRESS: z.string().min(1).max(1_000).optional(),
  TENANTRY_GATEWAY_HOME_ADDRESS: z.string().min(1).max(1_000).optional(),
  TENANTRY_GATEWAY_CERT: z.string().min(1).optional(),
  TENANTRY_GATEWAY_KEY: z.string().min(1).optional(),
  TENANTRY_LOG_LEVEL: z.enum(["silent", "fatal", "error", "warn", "info", "debug", "trace"]).default("info"),
});

export type Config = {
  port: number;
  host: string;
  /** Home by URL; undefined: embedded servers. */
  databaseUrl: string | undefined;
  /** The pooler by which the API reaches home; undefined: it reaches home itself. */
  databasePoolUrl: string | undefined;
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
  /** Of the API to tenant databases: in total, and to each server. */
  connections: { max: number; maxPerServer: number };
  /** Whether other processes may listen on the port too. */
  sharePort: boolean;
  /** What bounds the API. */
  api: {
    limits: Limits;
    /** Undefined: in development only. */
    introspection: boolean | undefined;
    corsOrigins: readonly string[];
    trustedProxies: number;
    persistedOperations: { file: string; only: boolean } | undefined;
  };
  /** Where this process's gateway listens, and how servers reach it; undefined: where it listens. */
  gateway: {
    host: string;
    port: number;
    address: string | undefined;
    homeAddress: string | undefined;
    certificate: { certFile: string; keyFile: string } | undefined;
  };
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
      `Unknown environment variable ${unknown.join(", ")}; docs/reference/configuration.md lists all of them.`,
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
  if (values.DATABASE_POOL_URL !== undefined && values.DATABASE_URL === undefined)
    throw new TenantryError("INVALID_INPUT", "DATABASE_POOL_URL leads to the server of DATABASE_URL: set that too.");
  return {
    port: values.PORT,
    host: values.HOST,
    databaseUrl: values.DATABASE_URL,
    databasePoolUrl: values.DATABASE_POOL_URL,
    dataDir: values.TENANTRY_DATA_DIR,
    role: values.TENANTRY_ROLE,
    mail: readMail(values),
    exportDir: values.TENANTRY_EXPORT_DIR,
    secretKey: values.TENANTRY_SECRET_KEY,
    previousSecretKeys: readList(values.TENANTRY_SECRET_KEY_PREVIOUS ?? ""),
    signIn: checkSignIn(values),
    connections: {
      max: values.TENANTRY_MAX_CONNECTIONS - API_HOME_CONNECTIONS,
      maxPerServer: values.TENANTRY_MAX_CONNECTIONS_PER_SERVER,
    },
    sharePort: values.TENANTRY_SHARE_PORT === "true",
    api: readApi(values),
    gateway: readGateway(values),
    logLevel: values.TENANTRY_LOG_LEVEL,
  };
}

function readGateway(values: z.infer<typeof schema>): Config["gateway"] {
  const { TENANTRY_GATEWAY_CERT: certFile, TENANTRY_GATEWAY_KEY: keyFile } = values;
  if ((certFile === undefined) !== (keyFile === undefined))
    throw new TenantryError(
      "INVALID_INPUT",
      "TENANTRY_GATEWAY_CERT and TENANTRY_GATEWAY_KEY must both be set, or neither.",
    );
  const listen = values.TENANTRY_GATEWAY_LISTEN;
  const colon = listen.lastIndexOf(":");
  const port = Number(listen.slice(colon + 1));
  if (port > 65_535)
    throw new TenantryError(
      "INVALID_INPUT",
      "The environment variable TENANTRY_GATEWAY_LISTEN names no port that there is.",
    );
  return {
    host: listen.slice(0, colon).replace(/^\[|\]$/g, ""),
    port,
    address: values.TENANTRY_GATEWAY_ADDRESS,
    homeAddress: values.TENANTRY_GATEWAY_HOME_ADDRESS,
    certificate: certFile === undefined || keyFile === undefined ? undefined : { certFile, keyFile },
  };
}

function readList(text: string): string[] {
  return text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

function readApi(values: z.infer<typeof schema>): Config["api"] {
  const { TENANTRY_PERSISTED_OPERATIONS: file, TENANTRY_INTROSPECTION: introspection } = values;
  const only = values.TENANTRY_PERSISTED_OPERATIONS_ONLY === "true";
  if (only && file === undefined)
    throw new TenantryError(
      "INVALID_INPUT",
      "TENANTRY_PERSISTED_OPERATIONS_ONLY needs TENANTRY_PERSISTED_OPERATIONS: nothing could run.",
    );
  return {
    limits: readLimits(values),
    introspection: introspection === undefined ? undefined : introspection === "true",
    corsOrigins: readOrigins(values),
    trustedProxies: values.TENANTRY_TRUSTED_PROXIES,
    persistedOperations: file === undefined ? undefined : { file, only },
  };
}

function readLimits(values: z.infer<typeof schema>): Limits {
  return {
    maxDepth: values.TENANTRY_MAX_DEPTH,
    maxAliases: values.TENANTRY_MAX_ALIASES,
    maxRootFields: values.TENANTRY_MAX_ROOT_FIELDS,
    maxTokens: values.TENANTRY_MAX_TOKENS,
    maxCost: values.TENANTRY_MAX_COST,
    maxBatch: values.TENANTRY_MAX_BATCH,
    maxBodyBytes: values.TENANTRY_MAX_BODY_BYTES,
    maxAnswerBytes: values.TENANTRY_MAX_ANSWER_BYTES,
    timeoutMs: values.TENANTRY_TIMEOUT_MS,
    actorPointsPerSecond: values.TENANTRY_ACTOR_POINTS_PER_SECOND,
    organizationPointsPerSecond: values.TENANTRY_ORGANIZATION_POINTS_PER_SECOND,
    actorConcurrency: values.TENANTRY_ACTOR_CONCURRENCY,
    organizationConcurrency: values.TENANTRY_ORGANIZATION_CONCURRENCY,
    statementConcurrency: values.TENANTRY_STATEMENT_CONCURRENCY,
    maxSubscriptions: values.TENANTRY_MAX_SUBSCRIPTIONS,
    signInFailuresPerMinute: values.TENANTRY_SIGN_IN_FAILURES_PER_MINUTE,
    maxSocketsSigningIn: values.TENANTRY_MAX_SOCKETS_SIGNING_IN,
  };
}

function readOrigins(values: z.infer<typeof schema>): string[] {
  const origins = readList(values.TENANTRY_CORS_ORIGINS);
  for (const origin of origins) {
    if (origin === "*") {
      // In development whoever calls is the operator: any page that a person visits could be.
      if (values.TENANTRY_AUTH === "development")
        throw new TenantryError("INVALID_INPUT", "TENANTRY_CORS_ORIGINS must name its origins in development.");
    } else if (!URL.canParse(origin) || new URL(origin).origin !== origin)
      throw new TenantryError(
        "INVALID_INPUT",
        "TENANTRY_CORS_ORIGINS must be origins as browsers send them, such as https://app.example.com, or * for all.",
      );
  }
  return origins;
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
