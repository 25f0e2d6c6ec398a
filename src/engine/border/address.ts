/** How servers reach the gateway: a host, a port, and what libpq is to do about TLS. It holds no secret. */
import { invalidInput } from "#base/kernel/errors";
import {
  formatConnectionString,
  formatServerUrl,
  parseServerUrl,
  type ServerAddress,
} from "#base/postgres/connection-url";

export type GatewayAddress = Pick<ServerAddress, "host" | "port" | "parameters">;

/** Nobody signs in as this; a URL needs a user. */
const NOBODY = "gateway";

/** What a silent path is noticed by, in libpq's words. A setting of the address comes before these. */
const TIMEOUTS: readonly (readonly [string, string])[] = [
  ["connect_timeout", "10"],
  ["keepalives_idle", "10"],
  ["keepalives_interval", "5"],
  ["keepalives_count", "3"],
  ["tcp_user_timeout", "30000"],
];

/** Reads `host:port` or `postgres://host:port?sslmode=…`. Throws INVALID_INPUT on `setting`. */
export function parseGatewayAddress(text: string, setting: string): GatewayAddress {
  const refuse = () =>
    invalidInput(
      setting,
      `${setting} must look like gateway.example.com:4001, or postgres://gateway.example.com:4001?sslmode=verify-full.`,
    );
  const rest = text.replace(/^postgres(ql)?:\/\//, "");
  // In front of the query only: a file that it names has a path.
  if (!/^[^@/?]+:\d{1,5}(\?|$)/.test(rest)) throw refuse();
  const [at = ""] = rest.split("?");
  const read = (part: string) => parseServerUrl(`postgres://${NOBODY}@${part}`, setting, "libpq");
  try {
    read(at);
  } catch {
    throw refuse();
  }
  const { host, port, parameters } = read(rest);
  return { host, port, parameters };
}

/** The address as it is kept at home, for processes that have no gateway of their own. */
export function formatGatewayAddress(address: GatewayAddress): string {
  return formatServerUrl({ ...address, user: NOBODY, password: undefined }).replace(`//${NOBODY}@`, "//");
}

/** What a subscriber is told: libpq's connection string, with the link's password. */
export function connectionOf({ host, port, parameters }: GatewayAddress, link: string, password: string): string {
  const all = new Map([...TIMEOUTS, ...parameters]);
  if (!all.has("sslmode")) all.set("sslmode", "disable");
  return formatConnectionString({ host, port, user: link, password, parameters: all }, "tenantry");
}
