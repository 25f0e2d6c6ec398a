/** A connection that stays open, for what goes on beside the program. */
import pg from "pg";
import type { ServerAddress } from "../../src/base/postgres/connection-url.ts";

export type OpenSession = { query: (text: string) => Promise<unknown>; end: () => Promise<void> };

export async function openSession(address: ServerAddress, database: string): Promise<OpenSession> {
  const { host, port, user, password } = address;
  const client = new pg.Client({ host, port, user, password, database });
  await client.connect();
  return { query: (text) => client.query(text), end: () => client.end() };
}
