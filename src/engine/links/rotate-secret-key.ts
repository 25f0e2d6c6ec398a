/** Encrypts everything that is stored encrypted with the current TENANTRY_SECRET_KEY. */
import { API_SECRET } from "#engine/regions/api-role";
import { BORDER_SECRET } from "#engine/border/credentials";
import type { Queryable } from "#base/postgres/database";
import type { Services } from "#engine/services";

/** How many stored secrets were encrypted anew, and how many were with the current key already. */
export type Rotation = { rotated: number; current: number };

/**
 * In one transaction, beside running processes that have both keys: they read what is written with either. Run again it
 * changes nothing. INTERNAL when something was encrypted with a key that was not given; then nothing is changed.
 */
export function rotateSecretKey({ home, secrets }: Pick<Services, "home" | "secrets">): Promise<Rotation> {
  return home.transaction(async (transaction) => {
    const stored = [...(await readRegions(transaction)), ...(await readInstallation(transaction))];
    const old = stored.filter(({ sealed }) => !secrets.isCurrent(sealed));
    for (const { sealed, context, write } of old) await write(secrets.seal(secrets.open(sealed, context), context));
    return { rotated: old.length, current: stored.length - old.length };
  });
}

type Stored = { sealed: Buffer; context: string; write: (sealed: Buffer) => Promise<unknown> };

async function readRegions(home: Queryable<"home">): Promise<Stored[]> {
  const rows = await home.query<{ id: string; sealed: Buffer }>(
    "regions.sealed",
    "select id, connection_url as sealed from tenantry.regions order by id for update",
  );
  return rows.map(({ id, sealed }) => ({
    sealed,
    context: id,
    write: (changed: Buffer) =>
      home.query("regions.seal", "update tenantry.regions set connection_url = $2 where id = $1", [id, changed]),
  }));
}

async function readInstallation(home: Queryable<"home">): Promise<Stored[]> {
  const [row] = await home.query<{ borderSecret: Buffer | null; apiSecret: Buffer | null }>(
    "installation.sealed",
    `select border_secret as "borderSecret", api_secret as "apiSecret" from tenantry.installation for update`,
  );
  const write = (column: "border_secret" | "api_secret") => (changed: Buffer) =>
    home.query("installation.seal", `update tenantry.installation set ${column} = $1`, [changed]);
  return [
    { sealed: row?.borderSecret, context: BORDER_SECRET, write: write("border_secret") },
    { sealed: row?.apiSecret, context: API_SECRET, write: write("api_secret") },
  ].flatMap(({ sealed, ...rest }) => (sealed == null ? [] : [{ sealed, ...rest }]));
}
