/** PgBouncer for a test that asks for it: use it with `await using`. */
import { sql } from "./app.ts";
import { type Pooler, startPgBouncer } from "./pgbouncer.ts";
import { temporaryFolder } from "./servers.ts";

/** Starts it in front of the server at `serverUrl`. `settings` go over those of docs/how-to/pooler.md, which are tested so. */
export function startPooler(serverUrl: string, settings: Record<string, string> = {}): Promise<Pooler> {
  return startPgBouncer(serverUrl, settings, temporaryFolder());
}

/** The verifier of a role's password, as a pooler's list of users takes it. */
export async function verifierOf(serverUrl: string, role: string): Promise<string> {
  const [row] = await sql<{ verifier: string }>(
    `${serverUrl}/postgres`,
    "select rolpassword as verifier from pg_authid where rolname = $1",
    [role],
  );
  return row?.verifier ?? "";
}
