/** What callers may ask for: one entry for each limit. src/config/limits.ts reads each from the environment. */

type Limit = {
  /** The environment variable that changes it. */
  variable: string;
  standard: number;
  /** What the variable may be set to. */
  least: number;
  most: number;
  unit: string;
  /** For the reference page, in whole sentences. */
  meaning: string;
};

export const LIMITS = {
  maxDepth: {
    variable: "TENANTRY_MAX_DEPTH",
    standard: 15,
    least: 1,
    most: 1_000,
    unit: "fields",
    meaning: "How deep the fields of an operation may be nested. What introspection asks for does not count.",
  },
  maxAliases: {
    variable: "TENANTRY_MAX_ALIASES",
    standard: 30,
    least: 0,
    most: 10_000,
    unit: "fields",
    meaning: "How many fields of an operation may have an alias. A fragment counts each time it is spread.",
  },
  maxRootFields: {
    variable: "TENANTRY_MAX_ROOT_FIELDS",
    standard: 20,
    least: 1,
    most: 10_000,
    unit: "fields",
    meaning:
      "How many fields of `Query`, `Mutation` or `Subscription` an operation may have. A fragment counts each time it is spread.",
  },
  maxTokens: {
    variable: "TENANTRY_MAX_TOKENS",
    standard: 2_000,
    least: 10,
    most: 100_000,
    unit: "tokens",
    meaning: "How many lexical tokens a document may have.",
  },
  maxCost: {
    variable: "TENANTRY_MAX_COST",
    standard: 5_000,
    least: 1,
    most: 10_000_000,
    unit: "points",
    meaning: "How much one operation may cost. It is priced [before it runs](limits-and-points.md#points).",
  },
  maxBatch: {
    variable: "TENANTRY_MAX_BATCH",
    standard: 10,
    least: 1,
    most: 1_000,
    unit: "operations",
    meaning: "How many operations one HTTP request may carry.",
  },
  maxBodyBytes: {
    variable: "TENANTRY_MAX_BODY_BYTES",
    standard: 1_000_000,
    least: 1_000,
    most: 100_000_000,
    unit: "bytes",
    meaning: "How large a request's body or a message on a web socket may be.",
  },
  maxAnswerBytes: {
    variable: "TENANTRY_MAX_ANSWER_BYTES",
    standard: 8_000_000,
    least: 10_000,
    most: 1_000_000_000,
    unit: "bytes",
    meaning:
      "How large the answers to one HTTP request may be together. It also bounds one answer on a web socket and one event of a subscription.",
  },
  timeoutMs: {
    variable: "TENANTRY_TIMEOUT_MS",
    standard: 30_000,
    least: 100,
    most: 600_000,
    unit: "milliseconds",
    meaning:
      "How long a request may take, with signing in and the time that it waits for a permit. An operation on a web socket counts as one.",
  },
  actorPointsPerSecond: {
    variable: "TENANTRY_ACTOR_POINTS_PER_SECOND",
    standard: 2_000,
    least: 0,
    most: 1_000_000_000,
    unit: "points",
    meaning: "How much a user or a key may spend per second. 0 allows any number.",
  },
  organizationPointsPerSecond: {
    variable: "TENANTRY_ORGANIZATION_POINTS_PER_SECOND",
    standard: 5_000,
    least: 0,
    most: 1_000_000_000,
    unit: "points",
    meaning: "How much an organization may spend per second. 0 allows any number.",
  },
  actorConcurrency: {
    variable: "TENANTRY_ACTOR_CONCURRENCY",
    standard: 8,
    least: 0,
    most: 10_000,
    unit: "operations",
    meaning: "How many operations of a user or a key may run at once. 0 allows any number.",
  },
  organizationConcurrency: {
    variable: "TENANTRY_ORGANIZATION_CONCURRENCY",
    standard: 12,
    least: 0,
    most: 10_000,
    unit: "operations",
    meaning: "How many operations of an organization's keys may run at once. 0 allows any number.",
  },
  statementConcurrency: {
    variable: "TENANTRY_STATEMENT_CONCURRENCY",
    standard: 6,
    least: 0,
    most: 10_000,
    unit: "statements",
    meaning:
      "How many statements may run at once on one server, for one user or for all keys of an organization together. 0 allows any number.",
  },
  maxSubscriptions: {
    variable: "TENANTRY_MAX_SUBSCRIPTIONS",
    standard: 100,
    least: 0,
    most: 1_000_000,
    unit: "subscriptions",
    meaning: "How many subscriptions a user or a key may have open. 0 allows any number.",
  },
  signInFailuresPerMinute: {
    variable: "TENANTRY_SIGN_IN_FAILURES_PER_MINUTE",
    standard: 60,
    least: 0,
    most: 1_000_000,
    unit: "failures",
    meaning:
      "How often one address may fail to sign in per minute. Of an IPv6 address the first 64 bits count. 0 allows any number.",
  },
  maxSocketsSigningIn: {
    variable: "TENANTRY_MAX_SOCKETS_SIGNING_IN",
    standard: 50,
    least: 0,
    most: 1_000_000,
    unit: "web sockets",
    meaning:
      "How many web sockets of one address may be open without having signed in. Of an IPv6 address the first 64 bits count. It holds with `TENANTRY_AUTH=bearer`. 0 allows any number.",
  },
} satisfies Record<string, Limit>;

export type Limits = { [Name in keyof typeof LIMITS]: number };

export const DEFAULT_LIMITS = Object.fromEntries(
  Object.entries(LIMITS).map(([name, { standard }]) => [name, standard]),
) as Limits;

/** Connections of a process to home: of the API's role, for looking up routes and roles, and one to hear announcements. */
export const API_HOME_CONNECTIONS = 16 + 4 + 1;
