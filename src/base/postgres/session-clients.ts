/** On which of the driver's clients a session is: for what a session cannot do with statements. */
import type pg from "pg";

const clients = new WeakMap<object, pg.PoolClient>();

export function rememberClient<Session extends object>(session: Session, client: pg.PoolClient): Session {
  clients.set(session, client);
  return session;
}

/** Throws for a session that is not a connection's own. */
export function clientOf(session: object): pg.PoolClient {
  const client = clients.get(session);
  if (client === undefined) throw new Error("a copy takes a session that is a connection's own");
  return client;
}
