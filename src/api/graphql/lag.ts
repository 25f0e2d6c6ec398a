/** Saying lag out loud: in the answer's `extensions.replicationLag`, for clients that care. */
import type { GraphQLContext } from "#api/graphql/context";
import { type Lag, type LateLinks, readLag } from "#engine/links/visible-writes";

/** Waits until a write is visible; when it is late, the answer says so. */
export async function reportLag(context: GraphQLContext, late: Promise<LateLinks>): Promise<void> {
  if ((await late).length > 0) addLag(context, await readLag(context.services, context.actor));
}

/** Reads from the catalog; the answer says what is known not to have arrived in it. */
export async function readCatalog<Result>(context: GraphQLContext, read: () => Promise<Result>): Promise<Result> {
  const [result, lag] = await Promise.all([read(), context.loaders.lag()]);
  addLag(context, lag);
  return result;
}

function addLag(context: GraphQLContext, lag: readonly Lag[]): void {
  const known = new Set(context.lag.map(({ database, direction }) => `${database} ${direction}`));
  for (const one of lag) if (!known.has(`${one.database} ${one.direction}`)) context.lag.push(one);
}
