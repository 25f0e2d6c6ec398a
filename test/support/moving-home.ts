/** A guarded home with a second region on no server, where placements can move to: for tests of what home makes of a move. */
import { newId } from "../../src/base/kernel/ids.ts";
import { beginMove, type MoveRequest } from "../../src/engine/home/begin-move.ts";
import { findMove, type Move } from "../../src/engine/home/moves.ts";
import { namePrefix } from "../../src/engine/replication/names.ts";
import { sql } from "./app.ts";
import { createGuardedHome, type GuardedHome, type Placed } from "./guarded-home.ts";

export type MovingHome = GuardedHome & { here: string; there: string };

export async function createMovingHome(): Promise<MovingHome> {
  const home = await createGuardedHome();
  const here = await regionOf(home.url, home.first.databaseId);
  const there = newId();
  await sql(
    home.url,
    `insert into tenantry.regions
       (id, key, name, connection_url, host, port, system_identifier, server_version, subscription_method)
     values ($1, 'there', 'There', '', 'nowhere.invalid', 5432, 'there', 180000, 'SUPERUSER')`,
    [there],
  );
  return { ...home, here, there };
}

async function regionOf(url: string, databaseId: number): Promise<string> {
  const [row] = await sql<{ id: string }>(url, "select region_id as id from tenantry.tenant_databases where id = $1", [
    databaseId,
  ]);
  return row?.id ?? "";
}

export async function placementIdOf({ url }: GuardedHome, { number }: Placed): Promise<string> {
  const [row] = await sql<{ id: string }>(url, "select id from tenantry.placements where number = $1", [number]);
  return row?.id ?? "";
}

/**
 * Begins a move of the placement, but for what is given: into a database of its own in the second region, or, where there is
 * none, into the shared one of the first.
 */
export async function begin(
  home: GuardedHome & { there?: string },
  placed: Placed,
  given: Partial<MoveRequest> = {},
): Promise<Move> {
  const placementId = await placementIdOf(home, placed);
  const toRegionId = home.there ?? (await regionOf(home.url, home.first.databaseId));
  await home.app.services.home.transaction((transaction) =>
    beginMove(
      { home: transaction, namePrefix: namePrefix(home.installation) },
      {
        placementId,
        toRegionId,
        isolation: home.there === undefined ? "SHARED" : "DEDICATED",
        keepSourceSeconds: 0,
        goesThroughOthers: false,
        ...given,
      },
    ),
  );
  const move = await findMove(home.app.services, placementId);
  if (move === undefined) throw new Error("the move was not recorded");
  return move;
}

/** What a tenant database sends to the catalog, in one transaction. */
export async function sendAs(url: string, databaseId: number, ...statements: string[]): Promise<void> {
  await sql(url, `begin; set local tenantry.catalog_sender = '${databaseId}'; ${statements.join("; ")}; commit`);
}

/** The statement that sends a row. */
export function sent(databaseId: number, { organization }: Placed, id: string, name: string): string {
  return `insert into tenantry_inbox.resources (database_id, id, organization_id, name, created_at, updated_at)
    values (${databaseId}, '${id}', '${organization}', '${name.replaceAll("'", "''")}', '2026-01-01', '2026-01-01')`;
}

/** The catalog's rows by name, each with the transaction that wrote it last. */
export async function catalogRows(url: string): Promise<Record<string, string>> {
  const rows = await sql<{ name: string; xmin: string }>(
    url,
    "select name, xmin::text from catalog.resources where placement_number > 0 order by name",
  );
  return Object.fromEntries(rows.map(({ name, xmin }) => [name, xmin]));
}
