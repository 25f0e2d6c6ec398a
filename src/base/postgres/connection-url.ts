/**
 * Connection URLs, read once and carried as {@link ServerAddress}: what the driver, libpq (inside a
 * subscription) and messages each need is made from it, so that the password stays out of every other place.
 */
import { isIP } from "node:net";
import { invalidInput } from "#base/kernel/errors";
import { checkParameters, type UrlReader } from "#base/postgres/connection-parameters";
import { readRegularFile } from "#base/kernel/regular-file";

/** Where a PostgreSQL server is and how to sign in. Holds a password: never log it. */
export type ServerAddress = {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string | undefined;
  /** libpq parameters of the URL's query, `sslmode` and the like, as given. */
  readonly parameters: ReadonlyMap<string, string>;
  /** The key of the region whose server it is; undefined: home's, or of no region yet. For what is told of it. */
  readonly region?: string | undefined;
};

/** Where a connection pooler in front of a server is. It is signed in to as the server is. */
export type PoolerAddress = Pick<ServerAddress, "host" | "port" | "parameters"> & {
  /** Whether it carries prepared statements from one server connection to another, as PgBouncer does from 1.21 on. */
  readonly preparedStatements: boolean;
};

const FILE_PARAMETERS = ["sslrootcert", "sslcert", "sslkey", "sslcrl"] as const;
const MAX_URL_LENGTH = 2_000;
/** What a certificate, a key or a list of revoked certificates may have. */
const MAX_FILE_BYTES = 1_000_000;
/** A host name. Libpq takes more for a host: a folder with a socket in it (`/…`, `@…`), and a list with commas. */
const HOST_NAME = /^[a-z0-9_]([a-z0-9._-]*[a-z0-9._])?$/i;
const MAX_HOST_LENGTH = 253;
// Names are repeated in messages and logs: nothing in them may break a line, hide, or turn the direction of writing.
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/u;
const CONTROL = /\p{Cc}/u;

/**
 * Reads a region's connection URL; `reader`: who connects by it. Throws INVALID_INPUT on `field`, in one sentence that never repeats the URL.
 */
export function parseServerUrl(url: string, field: string, reader: UrlReader = "driver"): ServerAddress {
  const { address, database, hasPath } = parseUrl(url, field, reader);
  if (database !== "")
    throw invalidInput(
      field,
      `The connection URL must not name a database: Tenantry creates its own on the server. ${corrected(address)}`,
    );
  if (hasPath) throw invalidInput(field, `The connection URL must not end with a slash. ${corrected(address)}`);
  return address;
}

/** Providers print URLs with a database's name. The password is not shown. */
function corrected(address: ServerAddress): string {
  if (address.password === undefined) return `Write ${formatServerUrl(address)}`;
  return `Write ${formatServerUrl({ ...address, password: "***" })} with your password in place of ***.`;
}

/** Reads a connection URL that names a database, such as DATABASE_URL. Throws INVALID_INPUT on `field`. */
export function parseDatabaseUrl(url: string, field: string): { address: ServerAddress; database: string } {
  const { address, database } = parseUrl(url, field);
  if (database === "")
    throw invalidInput(field, "The connection URL must name a database, as in postgres://user@host/tenantry.");
  return { address, database };
}

/** Reads the address of a connection pooler. Throws INVALID_INPUT on `field`, in one sentence that never repeats the URL. */
export function parsePoolUrl(text: string, field: string): PoolerAddress {
  const sentence = "The pooler's URL must look like postgres://host:6432.";
  if (text.length > MAX_URL_LENGTH || !isUrl(text)) throw invalidInput(field, sentence);
  const url = new URL(text);
  // The API signs in there as it does at the server. Another role would not be held to row-level security as that one is.
  if (url.username !== "" || url.password !== "")
    throw invalidInput(
      field,
      "The pooler's URL must not name a user or a password: the API signs in with its own role.",
    );
  const [prepared = "false", ...more] = url.searchParams.getAll("prepared_statements");
  if (more.length > 0) throw invalidInput(field, "The pooler's URL gives prepared_statements twice.");
  if (prepared !== "true" && prepared !== "false")
    throw invalidInput(field, "prepared_statements must be true or false.");
  url.searchParams.delete("prepared_statements");
  url.username = "nobody";
  const { address, hasPath } = parseUrl(url.href, field);
  if (hasPath)
    throw invalidInput(
      field,
      `The pooler's URL must not name a database or end with a slash: databases have their own names there. Write ${formatPoolUrl({ ...address, preparedStatements: prepared === "true" })}`,
    );
  const { host, port, parameters } = address;
  return { host, port, parameters, preparedStatements: prepared === "true" };
}

/** The pooler's address as it is stored and shown. It holds no secret. */
export function formatPoolUrl({ preparedStatements, ...address }: PoolerAddress): string {
  const url = formatServerUrl({ ...address, user: "", password: undefined }).replace("//@", "//");
  if (!preparedStatements) return url;
  return `${url}${url.includes("?") ? "&" : "?"}prepared_statements=true`;
}

function parseUrl(
  text: string,
  field: string,
  reader: UrlReader = "driver",
): { address: ServerAddress; database: string; hasPath: boolean } {
  if (text.length > MAX_URL_LENGTH)
    throw invalidInput(field, `The connection URL is longer than ${MAX_URL_LENGTH} characters.`);
  if (!isUrl(text)) throw invalidInput(field, "The connection URL must look like postgres://user:password@host:5432.");
  const url = new URL(text);
  if (url.hash !== "" || text.includes("#"))
    throw invalidInput(field, "The connection URL must not have a fragment (#…); write # in a password as %23.");
  if (url.hostname === "")
    throw invalidInput(
      field,
      "The connection URL must name one host, as in postgres://user:password@127.0.0.1:5432. A Unix socket will not do.",
    );
  if (url.username === "") throw invalidInput(field, "The connection URL must name a user.");
  const address: ServerAddress = {
    host: readHost(url, field),
    port: readPort(url, field),
    user: readText(url.username, "user name", UNPRINTABLE, field),
    password: url.password === "" ? undefined : readText(url.password, "password", CONTROL, field),
    parameters: readParameters(url, reader, field),
  };
  const database = readText(url.pathname.slice(1), "database name", UNPRINTABLE, field);
  return { address, database, hasPath: url.pathname !== "" };
}

/** Whether it is one for PostgreSQL. `URL` drops line breaks and tabs, so they are looked for first. */
function isUrl(text: string): boolean {
  return /^postgres(ql)?:\/\//.test(text) && !CONTROL.test(text) && URL.canParse(text);
}

function readHost(url: URL, field: string): string {
  const host = decode(url.hostname.replace(/^\[|\]$/g, ""), field);
  if (/^[/@]/.test(host)) throw invalidInput(field, "The connection URL's host must not be a Unix socket.");
  if (host.includes(",")) throw invalidInput(field, "The connection URL must name one host.");
  if (host.length > MAX_HOST_LENGTH || !(HOST_NAME.test(host) || isIP(host) !== 0))
    throw invalidInput(
      field,
      "The connection URL's host must be an IP address, or a host name of letters, digits, hyphens, dots and underscores.",
    );
  return host;
}

function readPort(url: URL, field: string): number {
  if (url.port === "0") throw invalidInput(field, "The connection URL's port must not be 0.");
  return url.port === "" ? 5432 : Number(url.port);
}

function readText(part: string, what: string, refused: RegExp, field: string): string {
  const text = decode(part, field);
  if (refused.test(text))
    throw invalidInput(field, `The connection URL's ${what} must not have control characters, such as line breaks.`);
  return text;
}

function readParameters(url: URL, reader: UrlReader, field: string): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const [name, value] of url.searchParams) {
    if (parameters.has(name) && /^\w{1,40}$/.test(name))
      throw invalidInput(field, `The connection URL gives ${name} twice.`);
    if (UNPRINTABLE.test(value) && /^\w{1,40}$/.test(name))
      throw invalidInput(field, `The connection URL's ${name} must not have control characters, such as line breaks.`);
    parameters.set(name, value);
  }
  checkParameters(parameters, reader, field);
  return parameters;
}

function decode(part: string, field: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw invalidInput(field, "The connection URL has a % that is not part of an escape like %40.");
  }
}

/** The address as a URL without a database name, as it is stored (encrypted). */
export function formatServerUrl(address: ServerAddress): string {
  const secret = address.password === undefined ? "" : `:${encodeURIComponent(address.password)}`;
  const host = address.host.includes(":") ? `[${address.host}]` : encodeURIComponent(address.host);
  const query = new URLSearchParams([...address.parameters]).toString();
  return `postgres://${encodeURIComponent(address.user)}${secret}@${host}:${address.port}${query === "" ? "" : `?${query}`}`;
}

/** The libpq connection string that a subscription keeps: `key='value'` pairs. Holds the password. */
export function formatConnectionString(address: ServerAddress, database: string): string {
  const pairs: [string, string | undefined][] = [
    ["host", address.host],
    ["port", String(address.port)],
    ["user", address.user],
    ["password", address.password],
    ["dbname", database],
    ...address.parameters,
  ];
  return pairs
    .filter((pair): pair is [string, string] => pair[1] !== undefined)
    .map(([key, value]) => `${key}='${value.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`)
    .join(" ");
}

/** Whether both say the same, the password and how TLS is done included. */
export function isSameAddress(one: ServerAddress, other: ServerAddress): boolean {
  return (
    one.host === other.host &&
    one.port === other.port &&
    one.user === other.user &&
    one.password === other.password &&
    one.parameters.size === other.parameters.size &&
    [...one.parameters].every(([name, value]) => other.parameters.get(name) === value)
  );
}

/** The parameter that names something else than a regular file of at most 1 MB that this machine can read; undefined when every file will do. */
export function findUnreadableFile({ parameters }: Pick<ServerAddress, "parameters">): string | undefined {
  if ((parameters.get("sslmode") ?? "disable") === "disable") return undefined;
  return FILE_PARAMETERS.find((name) => {
    const file = parameters.get(name);
    if (file === undefined || file === "system") return false;
    try {
      readTlsFile(file);
      return false;
    } catch {
      return true;
    }
  });
}

/**
 * TLS options for the driver, with libpq's meaning of `sslmode`: `require` encrypts but trusts any certificate. Files are read
 * for each connection, as libpq does: an authority can be replaced while the program runs.
 */
export function tlsOptions(address: ServerAddress): false | Record<string, unknown> {
  const mode = address.parameters.get("sslmode") ?? "disable";
  if (mode === "disable") return false;
  const rootFile = address.parameters.get("sslrootcert");
  const hasRoot = rootFile !== undefined && rootFile !== "system";
  const minVersion = address.parameters.get("ssl_min_protocol_version");
  const options = {
    ...(minVersion === undefined ? {} : { minVersion }),
    rejectUnauthorized: mode !== "require" || hasRoot,
    // verify-ca checks the chain only, as libpq does; an undefined result means the name is accepted.
    ...(mode === "verify-full" ? {} : { checkServerIdentity: () => undefined }),
  };
  const files = {
    ca: hasRoot ? rootFile : undefined,
    cert: address.parameters.get("sslcert"),
    key: address.parameters.get("sslkey"),
    crl: address.parameters.get("sslcrl"),
  };
  for (const [name, file] of Object.entries(files))
    if (file !== undefined)
      Object.defineProperty(options, name, { get: fileReader(file), enumerable: true, configurable: true });
  return options;
}

function readTlsFile(file: string): string {
  return readRegularFile(file, MAX_FILE_BYTES);
}

/** Gives what the file holds now, or held last: the driver asks while it connects, where a failure would end the process. */
function fileReader(file: string): () => string {
  let held = readTlsFile(file);
  return () => {
    try {
      held = readTlsFile(file);
    } catch {
      // Being replaced, or gone.
    }
    return held;
  };
}
