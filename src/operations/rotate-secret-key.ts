/** Encrypts everything that is stored encrypted with the current TENANTRY_SECRET_KEY. */
import { API_SECRET } from "#directory/api-role";
import { replicationSecretOf } from "#directory/replication-address";
import type { Queryable } from "#postgres/database";
import type { Services } from "#operations/services";
import { HOME_ADDRESS } from "#operations/renew-subscriptions";

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
  const rows = await home.query<{ id: string; sealed: Buffer; replication: Buffer | null }>(
    "regions.sealed",
    "select id, connection_url as sealed, replication_url as replication from tenantry.regions order by id for update",
  );
  const write = (column: "connection_url" | "replication_url", id: string) => (changed: Buffer) =>
    home.query("regions.seal", `update tenantry.regions set ${column} = $2 where id = $1`, [id, changed]);
  return rows.flatMap(({ id, sealed, replication }) => {
    const one = { sealed, context: id, write: write("connection_url", id) };
    if (replication === null) return [one];
    return [one, { sealed: replication, context: replicationSecretOf(id), write: write("replication_url", id) }];
  });
}

async function readInstallation(home: Queryable<"home">): Promise<Stored[]> {
  const [row] = await home.query<{ address: Buffer | null; apiSecret: Buffer | null }>(
    "installation.sealed",
    `select home_address as address, api_secret as "apiSecret" from tenantry.installation for update`,
  );
  const write = (column: "home_address" | "api_secret") => (changed: Buffer) =>
    home.query("installation.seal", `update tenantry.installation set ${column} = $1`, [changed]);
  return [
    { sealed: row?.address, context: HOME_ADDRESS, write: write("home_address") },
    { sealed: row?.apiSecret, context: API_SECRET, write: write("api_secret") },
  ].flatMap(({ sealed, ...rest }) => (sealed == null ? [] : [{ sealed, ...rest }]));
}
