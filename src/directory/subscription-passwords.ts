/**
 * PostgreSQL lets a role that is no superuser subscribe with a password only, one that the publisher's server really asks
 * for. Found out before anything is made, as the server would say it in the middle of the first grant.
 */
import { randomBytes } from "node:crypto";
import type { ReplicationAddress, ServerAddress } from "#postgres/connection-url";
import type { Pools } from "#postgres/pools";
import { readSubscriptionMethod, type ServerProbe } from "#postgres/probe";

type Context = {
  homeAddress: ServerAddress;
  homeReachedAt: ReplicationAddress;
  homeDatabaseName: string;
  pools: Pools;
};

const BOUND = "PG_CREATE_SUBSCRIPTION";

/** What keeps home and the region from subscribing to each other, in one sentence; undefined when nothing does. */
export async function findPasswordObstacle(
  context: Context,
  /** How home's subscriptions reach the region's server, and a database there that anybody may connect to. */
  { reachedAt, database }: { reachedAt: ReplicationAddress; database: string },
  { subscriptionMethod }: Pick<ServerProbe, "subscriptionMethod">,
): Promise<string | undefined> {
  const { homeAddress, homeReachedAt, homeDatabaseName, pools } = context;
  // As the operator, who subscribes: the caller may be signed in as the API.
  const home = pools.open("home", homeAddress, homeDatabaseName);
  if ((await readSubscriptionMethod(home)) === BOUND) {
    const missing = await findMissing(pools, reachedAt.address, database);
    if (missing !== undefined) return sentence("Home", "the region's server", missing, reachedAt);
  }
  if (subscriptionMethod !== BOUND) return undefined;
  const missing = await findMissing(pools, homeReachedAt.address, homeDatabaseName);
  return missing === undefined ? undefined : sentence("The region's server", "home's server", missing, homeReachedAt);
}

type Missing = "no password" | "not asked for";

/** Whether it is asked for depends on where one comes from: this is how it is from here. */
async function findMissing(pools: Pools, address: ServerAddress, database: string): Promise<Missing | undefined> {
  if (address.password === undefined) return "no password";
  try {
    const wrong = { ...address, password: randomBytes(24).toString("base64url") };
    await pools.once(wrong, database, (connection) => connection.query("password.try", "select"));
    return "not asked for";
  } catch {
    return undefined;
  }
}

function sentence(
  subscriber: string,
  publisher: string,
  missing: Missing,
  { address: { user }, setting }: ReplicationAddress,
): string {
  const url = setting === "connectionUrl" ? "the connection URL" : setting;
  const without = `${subscriber} subscribes as a role that is no superuser, for which PostgreSQL wants a password: `;
  return missing === "no password"
    ? `${without}${url} has none. Give the role ${user} one and put it into ${url}.`
    : `${without}${publisher} lets the role ${user} in without asking for it. Have its pg_hba.conf say scram-sha-256 there.`;
}
