/**
 * The parameters that a connection URL may have, and their values. The names are libpq's, and two read them: our driver, which
 * connects to servers and poolers, and libpq in a server that subscribes, which connects to the gateway. Each takes what it
 * does something with; everything else is refused when the URL is given, and not when a connection is made by it.
 */
import { invalidInput } from "#base/kernel/errors";

/** Who connects by the URL. */
export type UrlReader = "driver" | "libpq";

const MAX_CONNECT_TIMEOUT_S = 300;
const MAX_INT4 = 2_147_483_647;

const SSL_MODES = ["disable", "require", "verify-ca", "verify-full"];
const ENCRYPTED = new Set(["require", "verify-ca", "verify-full"]);
const TLS_VERSIONS = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];

/** Why the value does not do, as the rest of a sentence that begins with the parameter; undefined: it does. */
type Rule = (value: string, all: ReadonlyMap<string, string>) => string | undefined;

const anyText: Rule = () => undefined;

const oneOf =
  (values: readonly string[]): Rule =>
  (value) =>
    values.includes(value) ? undefined : `must be one of ${values.join(", ")}.`;

const whole =
  (min: number, max: number): Rule =>
  (value) =>
    /^\d{1,10}$/.test(value) && Number(value) >= min && Number(value) <= max
      ? undefined
      : `must be a whole number from ${min} to ${max}, without a unit.`;

/** `require` of something that is not there would fail at each connection. The other values ask for nothing. */
const notRequired =
  (values: readonly string[], why: string): Rule =>
  (value, all) =>
    value === "require" ? why : oneOf(values)(value, all);

const BINDING = ["disable", "prefer"];
const noBinding = notRequired(
  BINDING,
  "must not be require: Tenantry's connections have no channel binding. Use sslmode=verify-full, and leave channel_binding out.",
);
const noGss = notRequired(
  BINDING,
  "must not be require: Tenantry's connections are encrypted by TLS, which sslmode says.",
);

const noEffect: Rule = () =>
  "has no effect on Tenantry's own connections, which find out by themselves that the other side is gone: leave it out.";

/** What both read in the same way. */
const COMMON: Readonly<Record<string, Rule>> = {
  sslmode: oneOf(SSL_MODES),
  sslcert: anyText,
  sslkey: anyText,
  sslcrl: anyText,
  // With a weaker sslmode libpq refuses the connection. The driver would connect without TLS if the server has none.
  sslrootcert: (value, all) =>
    value === "system" && all.get("sslmode") !== "verify-full" ? "=system needs sslmode=verify-full." : undefined,
  ssl_min_protocol_version: oneOf(TLS_VERSIONS),
  // Of seconds.
  connect_timeout: whole(1, MAX_CONNECT_TIMEOUT_S),
  channel_binding: noBinding,
  gssencmode: noGss,
};

// Only parameters that say how to connect. Anything that changes whom or what we connect to (host, user,
// dbname, service, passfile) or what the session does (options) is refused.
const RULES: Readonly<Record<UrlReader, Readonly<Record<string, Rule>>>> = {
  driver: {
    ...COMMON,
    sslnegotiation: (value, all) =>
      value === "direct" && !ENCRYPTED.has(all.get("sslmode") ?? "")
        ? `=direct needs sslmode=${[...ENCRYPTED].join(", ")}.`
        : oneOf(["postgres", "direct"])(value, all),
    keepalives: noEffect,
    keepalives_idle: noEffect,
    keepalives_interval: noEffect,
    keepalives_count: noEffect,
    tcp_user_timeout: noEffect,
  },
  libpq: {
    ...COMMON,
    // Servers before 17 do not know it, and the gateway knows the one way that they all have.
    sslnegotiation: () =>
      "is not supported: PostgreSQL knows it from 17 on, and the gateway begins TLS as all versions do. Leave it out.",
    keepalives: oneOf(["0", "1"]),
    keepalives_idle: whole(0, MAX_INT4),
    keepalives_interval: whole(0, MAX_INT4),
    keepalives_count: whole(0, MAX_INT4),
    tcp_user_timeout: whole(0, MAX_INT4),
  },
};

/**
 * Refuses a parameter that the reader does not know, and a value that it would not go by. Throws INVALID_INPUT on `field`, in a
 * sentence that names the parameter and does not repeat its value.
 */
export function checkParameters(parameters: ReadonlyMap<string, string>, reader: UrlReader, field: string): void {
  for (const [name, value] of parameters) {
    const rule = Object.hasOwn(RULES[reader], name) ? RULES[reader][name] : undefined;
    if (rule === undefined)
      throw invalidInput(
        field,
        /^\w{1,40}$/.test(name)
          ? `The connection URL's parameter ${JSON.stringify(name)} is not supported.`
          : "The connection URL has a parameter that is not supported.",
      );
    const fault = rule(value, parameters);
    if (fault !== undefined) throw invalidInput(field, `${name}${fault.startsWith("=") ? "" : " "}${fault}`);
  }
}

/** How long a connection by the URL may take to be made, in milliseconds; undefined: it does not say. */
export function connectTimeoutOf(parameters: ReadonlyMap<string, string>): number | undefined {
  const seconds = parameters.get("connect_timeout");
  return seconds === undefined ? undefined : Number(seconds) * 1_000;
}

/** The driver's setting of this name. */
export function sslNegotiationOf(parameters: ReadonlyMap<string, string>): { sslnegotiation?: "direct" } {
  return parameters.get("sslnegotiation") === "direct" ? { sslnegotiation: "direct" } : {};
}
