/** Ids as the API makes them, for rows that a test writes by hand: home takes no row whose id leads elsewhere. */
import { sql } from "./app.ts";

/**
 * SQL that makes a fresh id of the placement with this number, for each row that it is asked for. `number` is a number or an
 * SQL expression of one.
 */
export function routedIdSql(number: number | string): string {
  const time = "lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0')";
  const routed = `lpad(to_hex((2::bigint << 30) | ((${number})::bigint << 6) | floor(random() * 64)::bigint), 8, '0')`;
  return `(${time} || '7' || substr(md5(random()::text), 1, 3) || ${routed} || substr(md5(random()::text), 1, 8))::uuid`;
}

/** The number of the oldest placement in a tenant database. */
export async function placementNumberIn(homeUrl: string, database: string): Promise<number> {
  const [row] = await sql<{ number: number }>(
    homeUrl,
    `select p.number from tenantry.placements p join tenantry.tenant_databases d on d.id = p.database_id
     where d.name = $1 order by p.number limit 1`,
    [database],
  );
  if (row === undefined) throw new Error(`no placement is in ${database}`);
  return row.number;
}
