/** Runs the gateway in this process: what it may let through, and what is done when something else came. */
import { type GatewayAddress, parseGatewayAddress } from "#engine/border/address";
import type { CertificateFiles } from "#engine/border/certificate";
import { Gateway } from "#engine/border/gateway";
import type { GatewayLimits, GatewayLink } from "#engine/border/options";
import { MOVES_CHANNEL, recordBreach } from "#engine/home/moves";
import { findGatewayLink } from "#engine/links/gateway-links";
import { REGION_CHANNEL } from "#engine/regions/regions";
import { invalidInput, TenantryError } from "#base/kernel/errors";
import { withStatementTimeout } from "#base/kernel/call";
import { isLoopback } from "#base/kernel/loopback";
import { delay } from "#base/kernel/wait";
import type { DatabaseKind, Queryable } from "#base/postgres/database";
import { BREACH_CHANNEL } from "#engine/replication/breach";
import { SHARE_WHILE_AWAKE } from "#engine/replication/capacity";
import { recordFailure } from "#engine/replication/link-record";
import type { GatewayAddresses } from "#engine/border/border";
import { endSlotUser, findSlotUser } from "#engine/replication/slot";
import { MAINTENANCE_DATABASE } from "#engine/servers/server-probe";
import { warnOnce } from "#base/observability/warn-once";
import type { Services } from "#engine/services";

export type GatewaySettings = {
  /** Where it listens; port 0: one that is free. */
  host: string;
  port: number;
  /** How the regions' servers reach it; left out: where it listens. */
  address?: string | undefined;
  /** How home's server reaches it, where that is another way. */
  homeAddress?: string | undefined;
  certificate?: CertificateFiles | undefined;
  /** For tests. */
  limits?: Partial<GatewayLimits> | undefined;
  lenient?: boolean | undefined;
};

/**
 * Starts the gateway and notes at home how servers reach it. INVALID_INPUT, naming the setting, when it cannot listen there
 * or nobody could reach it.
 */
export async function startGateway(services: Services, settings: GatewaySettings): Promise<Gateway> {
  const warn = warnOnce(services.logger);
  const gateway = await Gateway.listen({
    ...settings,
    limits: { maxStreamsOfHomePerRegion: await shareOfWalsenders(services), ...settings.limits },
    lenient: settings.lenient ?? false,
    ledger: services.ledger,
    findLink: (name) => findGatewayLink(services, name),
    onBreach: (link, sentence) => noteBreach(services, link, sentence),
    onSlotInUse: (link) => freeSlot(services, link),
    // A subscriber tries again several times in a second, for as long as its publisher is away.
    report: (message, error) => warn(message, error === undefined ? {} : { err: error }, message),
  }).catch((cause: unknown) => {
    throw explainListening(cause, settings);
  });
  if (isInTheClear(settings))
    services.logger.warn(
      "the gateway listens beyond this machine without TLS: set TENANTRY_GATEWAY_CERT and TENANTRY_GATEWAY_KEY, or see to it that the network is private",
    );
  try {
    await services.border.setAddresses(addressesOf(settings, gateway.port));
    // Passwords that were rotated are worth nothing, also to somebody who streams by them.
    const recheck = (regionId: string) => void gateway.recheck(regionId || undefined);
    gateway.onClose(await services.listener.on(REGION_CHANNEL, recheck));
    // And by a move that is over, or has turned round.
    gateway.onClose(await services.listener.on(MOVES_CHANNEL, () => void gateway.recheck()));
    // So is whoever streams by a region that another home has taken over.
    gateway.onClose(services.ownership.onChange(recheck));
  } catch (error) {
    await gateway.close();
    throw error;
  }
  return gateway;
}

/**
 * The same share of home's walsenders that a carrier takes for its links. A region whose administrator wakes all of its links
 * leaves the rest to other regions.
 */
async function shareOfWalsenders({ home }: Pick<Services, "home">): Promise<number> {
  const [row] = await home.query<{ most: number }>(
    "gateway.walsenders",
    "select setting::int as most from pg_catalog.pg_settings where name = 'max_wal_senders'",
  );
  return Math.max(1, Math.floor((row?.most ?? 0) * SHARE_WHILE_AWAKE));
}

function explainListening(cause: unknown, { host, port, certificate }: GatewaySettings): unknown {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  if (code === "EADDRINUSE")
    return new TenantryError(
      "INVALID_INPUT",
      `Another program listens at ${host}:${port}: set TENANTRY_GATEWAY_LISTEN to another port for the gateway.`,
      { field: "TENANTRY_GATEWAY_LISTEN", cause },
    );
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND" || code === "EACCES")
    return new TenantryError(
      "INVALID_INPUT",
      `The gateway cannot listen at ${host}:${port}, which TENANTRY_GATEWAY_LISTEN names.`,
      {
        field: "TENANTRY_GATEWAY_LISTEN",
        cause,
      },
    );
  if (certificate === undefined) return cause;
  return new TenantryError(
    "INVALID_INPUT",
    "The files of TENANTRY_GATEWAY_CERT and TENANTRY_GATEWAY_KEY cannot be read, or do not belong together.",
    { field: "TENANTRY_GATEWAY_CERT", cause },
  );
}

function addressesOf({ host, address, homeAddress, certificate }: GatewaySettings, port: number): GatewayAddresses {
  const isEverywhere = host === "0.0.0.0" || host === "::";
  if (isEverywhere && address === undefined)
    throw invalidInput(
      "TENANTRY_GATEWAY_ADDRESS",
      "TENANTRY_GATEWAY_ADDRESS must say how servers reach the gateway: it listens at every address.",
    );
  const own: GatewayAddress = { host, port, parameters: new Map() };
  const withTls = (one: GatewayAddress): GatewayAddress =>
    certificate === undefined || one.parameters.has("sslmode")
      ? one
      : { ...one, parameters: new Map([...one.parameters, ["sslmode", "require"]]) };
  const regions = address === undefined ? own : parseGatewayAddress(address, "TENANTRY_GATEWAY_ADDRESS");
  const home = homeAddress === undefined ? regions : parseGatewayAddress(homeAddress, "TENANTRY_GATEWAY_HOME_ADDRESS");
  return { regions: withTls(regions), home: withTls(home) };
}

/** Whether the gateway carries rows in the clear to other machines. */
function isInTheClear({ host, certificate }: GatewaySettings): boolean {
  return certificate === undefined && !isLoopback(host);
}

/** Links whose slots are about to be freed. */
const freeing = new Set<string>();
/** Whoever streams from a slot for so long after another was refused does not just end. */
const IN_USE_MS = 2_000;

/** Ends whoever streams from the link's slot, when they do so still after a moment: the subscriber, who comes again, is somewhere else. */
function freeSlot(
  services: Pick<Services, "home" | "logger" | "pools">,
  { name, publisher, direction }: GatewayLink,
): void {
  if (publisher === undefined || freeing.has(name)) return;
  const { home, pools, logger } = services;
  const at: Queryable<DatabaseKind> =
    direction === "directory" ? home : pools.open("server", publisher.address, MAINTENANCE_DATABASE);
  const free = async () => {
    const user = await findSlotUser(at, name);
    if (user === undefined) return;
    await delay(IN_USE_MS);
    if (await endSlotUser(at, name, user)) logger.warn(`${name}: a stream that nobody reads any more was ended`);
  };
  freeing.add(name);
  withStatementTimeout(FREE_STATEMENT_MS, free)
    .catch((error: unknown) => logger.warn({ err: error }, "a slot could not be freed"))
    .finally(() => freeing.delete(name));
}

const FREE_STATEMENT_MS = 10_000;

/** The process that carries the region hears of it. Until then the failure stands in the link's record. */
function noteBreach(
  { home, logger }: Pick<Services, "home" | "logger">,
  { databaseId, direction, name, move }: GatewayLink,
  sentence: string,
): void {
  logger.error(`${name}: ${sentence}`);
  const note = async () => {
    // Whoever carries the move reads it.
    if (direction === "move") return recordBreach({ home }, { databaseId, number: move?.rows.number ?? 0 }, sentence);
    await recordFailure(home, { databaseId, direction }, sentence);
    await home.query("breach.announce", `select pg_notify('${BREACH_CHANNEL}', $1)`, [
      `${databaseId} ${direction} ${sentence}`,
    ]);
  };
  note().catch((error: unknown) => logger.warn({ err: error }, "a breach could not be recorded at home"));
}
