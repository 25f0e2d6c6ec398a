/** Ids as the API makes them, for rows that a test writes by hand: home takes no row whose id leads elsewhere. */
import { sql } from "./app.ts";

/** The number of an organization's placement in a tenant database of this name. */
export async function placementNumber(homeUrl: string, organizationId: string, database: string): Promise<number> {
  const [row] = await sql<{ number: number }>(
    homeUrl,
    `select p.number from tenantry.placements p join tenantry.tenant_databases d on d.id = p.database_id
     where p.organization_id = $1 and d.name = $2`,
    [organizationId, database],
  );
  if (row === undefined) throw new Error(`the organization is not placed in ${database}`);
  return row.number;
}

/**
 * SQL that makes a fresh id of the placement with this number, for each row that it is asked for. `number` is a number or an
 * SQL expression of one.
 */
export function routedIdSql(number: number | string): string {
  const time = "lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0')";
  const routed = `lpad(to_hex((2::bigint << 30) | ((${number})::bigint << 6) | floor(random() * 64)::bigint), 8, '0')`;
  return `(${time} || '7' || substr(md5(random()::text), 1, 3) || ${routed} || substr(md5(random()::text), 1, 8))::uuid`;
}
