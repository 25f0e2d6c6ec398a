/** What callers may ask for. The environment changes each (see config.ts); these are the defaults. */

export type Limits = {
  /** Fields inside each other in one operation; what introspection asks for does not count. */
  maxDepth: number;
  /** Fields under another name in one operation, counted again wherever a fragment is spread. */
  maxAliases: number;
  /** Fields of Query, Mutation or Subscription in one operation, counted likewise. */
  maxRootFields: number;
  /** Lexical tokens in a document. */
  maxTokens: number;
  /** Points that one operation may cost; see api/graphql/limits/cost.ts. */
  maxCost: number;
  /** Operations in one HTTP request. */
  maxBatch: number;
  /** Bytes of a request's body or of one web socket message. */
  maxBodyBytes: number;
  /** Bytes of the answers to one HTTP request, of one answer on a web socket, and of one event of a subscription. */
  maxAnswerBytes: number;
  /** Milliseconds that an operation may take, waiting for its turn included. */
  timeoutMs: number;
  /** Points that a user or key may spend per second; 0: any number. */
  actorPointsPerSecond: number;
  /** Points that an organization may spend per second; 0: any number. */
  organizationPointsPerSecond: number;
  /** Operations of a user or key at once; 0: any number. */
  actorConcurrency: number;
  /** Operations of an organization's keys at once; 0: any number. */
  organizationConcurrency: number;
  /** Statements at once on one server of a user, or of all of an organization's keys together; 0: any number. */
  statementConcurrency: number;
  /** Subscriptions of a user or key at once; 0: any number. */
  maxSubscriptions: number;
  /** Failed sign-ins of one address per minute; 0: any number. */
  signInFailuresPerMinute: number;
  /** Web sockets of one address that have not signed in yet; 0: any number. */
  maxSocketsSigningIn: number;
};

export const DEFAULT_LIMITS: Limits = {
  maxDepth: 15,
  maxAliases: 30,
  maxRootFields: 20,
  maxTokens: 2_000,
  maxCost: 5_000,
  maxBatch: 10,
  maxBodyBytes: 1_000_000,
  maxAnswerBytes: 8_000_000,
  timeoutMs: 30_000,
  actorPointsPerSecond: 2_000,
  organizationPointsPerSecond: 5_000,
  actorConcurrency: 8,
  organizationConcurrency: 12,
  statementConcurrency: 6,
  maxSubscriptions: 100,
  signInFailuresPerMinute: 60,
  maxSocketsSigningIn: 50,
};

/** Connections of a process to home: of the API's role, for looking up routes and roles, and one to hear announcements. */
export const API_HOME_CONNECTIONS = 16 + 4 + 1;
