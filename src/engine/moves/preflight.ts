/**
 * A look ahead at a move: what keeps it from beginning, what is good to know, and how big it is. It asks home and both servers
 * side by side, each for a bounded time, and changes nothing.
 */
import { TenantryError } from "#base/kernel/errors";
import { orLate } from "#base/kernel/wait";
import type { ServerAddress } from "#base/postgres/connection-url";
import { probeServer, type ServerProbe } from "#base/postgres/probe";
import { readCapacity, type ServerCapacity } from "#base/postgres/server-capacity";
import { explainRefusal, regionNamed } from "#engine/failures/explain";
import type { Placement } from "#engine/home/placements";
import { findWorkers } from "#engine/jobs/worker-regions";
import { latestOf } from "#engine/migrations/schema-version";
import { aboutContent } from "#engine/moves/about-content";
import { aboutHome, aboutSchema, aboutWay } from "#engine/moves/about-home";
import { aboutRoom, aboutVersions } from "#engine/moves/about-servers";
import { blocker, type Finding, inOrder, refusal, remark } from "#engine/moves/findings";
import { type HomeFacts, readHomeFacts } from "#engine/moves/read-home";
import { readSource, readTarget, shareOf, type Source, type Target } from "#engine/moves/read-sides";
import type { MoveWish, Side } from "#engine/moves/wish";
import { findRegions } from "#engine/regions/regions";
import { regionServer } from "#engine/regions/region-address";
import { findServerObstacles } from "#engine/regions/try-server";
import { namePrefix } from "#engine/replication/names";
import { MAINTENANCE_DATABASE } from "#engine/servers/server-probe";
import type { Services } from "#engine/services";

export type Preflight = {
  /** The worst first. */
  findings: Finding[];
  /** With the entries of the audit log; null: they could not be counted. */
  rowsTotal: number | null;
  /** With indexes. */
  bytesTotal: number | null;
  /** How long it may take to copy them. */
  estimateSeconds: number | null;
};

/** A server that takes longer to answer is as one that is away. */
const LOOK_MS = 8_000;
/** A try makes a subscription connect to the gateway. */
const TRIAL_MS = 12_000;

/** What copying has been seen to do at least, between two servers near each other, with indexes and all. */
const BYTES_PER_SECOND = 10_000_000;
/** Making the stream, comparing, switching. */
const FIXED_SECONDS = 5;

/** Whoever asks has checked that the actor may move the placement. */
export async function preflightMove(services: Services, placement: Placement, wish: MoveWish): Promise<Preflight> {
  const [from] = await findRegions(services, [placement.regionId]);
  const facts = await readHomeFacts(services.home, {
    placementId: placement.id,
    organizationId: placement.organizationId,
    toRegionId: wish.to.id,
  });
  const fromKey = from?.key ?? placement.regionId;
  const workers = await findWorkers(services.home, [fromKey, wish.to.key]);
  const servers = await askServers(services, placement, wish, { fromKey, facts, isGatewayUp: workers.isUp });
  const findings = [
    ...aboutHome(placement, wish, facts, fromKey),
    ...aboutSchema(placement, wish, facts, latestOf(services.tenantSchema)),
    ...aboutWay(wish, workers, { fromKey, isFar: placement.regionId !== wish.to.id }),
    ...servers.findings,
  ];
  return { ...servers, findings: inOrder(findings) };
}

/** `isGatewayUp`: where no worker is up, there is no gateway to connect to. */
type Context = { fromKey: string; facts: HomeFacts; isGatewayUp: boolean };

async function askServers(
  services: Services,
  placement: Placement,
  wish: MoveWish,
  { fromKey, facts, isGatewayUp }: Context,
): Promise<Preflight> {
  const unknown = { rowsTotal: null, bytesTotal: null, estimateSeconds: null };
  const lost = [
    { id: placement.regionId, key: fromKey },
    { id: wish.to.id, key: wish.to.key },
  ].filter(({ id }) => services.ownership.isLost(id));
  if (lost.length > 0)
    return { ...unknown, findings: lost.map(({ key }) => blocker(`The region ${key} is another installation's now.`)) };
  const source: Side = { key: fromKey, id: placement.regionId, address: await addressOf(services, placement.regionId) };
  const target: Side = { key: wish.to.key, id: wish.to.id, address: await addressOf(services, wish.to.id) };
  const isSame = source.id === target.id;
  const [read, there, here, triedThere, triedHere] = await Promise.all([
    asking(source.key, () => readBoth(services, source, target, placement, { wish, facts })),
    asking(target.key, () => lookAt(services, target)),
    isSame ? undefined : asking(source.key, () => lookAt(services, source)),
    isGatewayUp ? trying(services, target) : [],
    isGatewayUp && !isSame ? trying(services, source) : [],
  ]);
  const findings = [read, read.answer, there, here].flatMap((one) => one?.findings ?? []);
  findings.push(...triedThere.map(({ sentence }) => ({ sentence, blocks: true })));
  // The source subscribes only while changes flow back to it.
  findings.push(...triedHere.map(({ sentence }) => ({ sentence, blocks: wish.keepSourceSeconds > 0 })));
  const seenThere = there.answer;
  const seenHere = isSame ? seenThere : here?.answer;
  if (seenThere !== undefined && seenHere !== undefined) {
    const home = isSame ? undefined : await readHomeCapacity(services);
    findings.push(...aboutVersions({ source, target }, seenHere.probe, seenThere.probe));
    findings.push(
      ...aboutRoom({ source, target }, { here: seenHere.capacity, there: seenThere.capacity, home }, wish, facts),
    );
  }
  if (read.answer === undefined) return { ...unknown, findings };
  const sizes = sizesOf(read.answer.source, placement);
  findings.push(
    ...aboutContent(read.answer.source, read.answer.target, target.key),
    remark(
      `PostgreSQL does not say how much room the disk of region ${target.key} has: the move needs ${inWords(sizes.bytesTotal)} there.`,
    ),
  );
  return { ...sizes, findings };
}

async function addressOf(services: Pick<Services, "home" | "secrets">, regionId: string): Promise<ServerAddress> {
  return (await regionServer(services, regionId)).address;
}

type Asked<Answer> = { answer?: Answer; findings?: Finding[] };

/** Asks a region, for a bounded time. What it does not answer is a finding. */
async function asking<Answer>(key: string, ask: () => Promise<Answer>): Promise<Asked<Answer>> {
  try {
    return { answer: await orLate(ask(), LOOK_MS, () => new Error("connection timeout: no answer")) };
  } catch (error) {
    const refused = error instanceof TenantryError ? error : explainRefusal(error, regionNamed(key));
    if (refused === undefined) throw error;
    return { findings: [refusal(refused)] };
  }
}

async function readBoth(
  services: Services,
  { address }: Side,
  target: Side,
  placement: Placement,
  { wish, facts }: { wish: MoveWish; facts: HomeFacts },
): Promise<{ source: Source; target: Target | undefined; findings: Finding[] }> {
  const source = await readSource(services, address, placement);
  const shared = wish.isolation === "SHARED" && facts.shared?.version != null ? facts.shared.database : undefined;
  const where =
    shared === undefined ? { visited: MAINTENANCE_DATABASE, copied: "template0" } : { visited: shared, copied: shared };
  const read = await asking(target.key, () => readTarget(services, target.address, where, source));
  return { source, target: read.answer, findings: read.findings ?? [] };
}

async function lookAt(
  services: Pick<Services, "installation" | "pools">,
  { address }: Side,
): Promise<{ probe: ServerProbe; capacity: ServerCapacity }> {
  const server = services.pools.open("server", address, MAINTENANCE_DATABASE);
  const [probe, capacity] = await Promise.all([
    probeServer(server),
    readCapacity(server, { prefix: namePrefix(services.installation), home: null }),
  ]);
  return { probe, capacity };
}

function readHomeCapacity(
  services: Pick<Services, "home" | "homeDatabaseName" | "installation">,
): Promise<ServerCapacity> {
  return readCapacity(services.home, { prefix: namePrefix(services.installation), home: services.homeDatabaseName });
}

/** Has the server connect to the gateway, as the stream will have it do. */
async function trying(services: Services, { id, key }: Side): Promise<Finding[]> {
  const tried = await asking(key, () =>
    orLate(findServerObstacles(services, id), TRIAL_MS, () => new Error("connection timeout: no answer")),
  );
  if (tried.findings !== undefined) return tried.findings;
  return (tried.answer ?? []).map((sentence) =>
    remark(`The server of region ${key} cannot do what a move asks of it.`, sentence),
  );
}

function sizesOf(source: Source, { isolation }: Placement): Omit<Preflight, "findings"> & { bytesTotal: number } {
  const parts = source.tables.map((table) => shareOf(table, isolation === "SHARED"));
  const rowsTotal = parts.reduce((sum, { rows }) => sum + rows, 0);
  const bytesTotal = Math.round(parts.reduce((sum, { bytes }) => sum + bytes, 0));
  return { rowsTotal, bytesTotal, estimateSeconds: Math.ceil(FIXED_SECONDS + bytesTotal / BYTES_PER_SECOND) };
}

/** `about 120 MB` */
function inWords(bytes: number): string {
  if (bytes < 1e6) return "less than 1 MB";
  return bytes < 1e9 ? `about ${Math.round(bytes / 1e6)} MB` : `about ${(bytes / 1e9).toFixed(1)} GB`;
}
