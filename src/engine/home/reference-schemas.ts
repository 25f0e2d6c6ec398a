/** What the migrations have made of a tenant database on each region's server, as it was read there. */
import type { HomeDatabase } from "#base/postgres/database";

/** Whose schema it is: which migrations led to it, and which version of PostgreSQL has printed it. */
export type ReferenceKey = { readonly regionId: string; readonly digest: string; readonly serverVersion: number };

/** Of one region. Older ones are made again when somebody asks. */
const MAX_KEPT = 8;

/** The lines that were kept; undefined: there are none. */
export async function findReference(
  { home }: { home: HomeDatabase },
  { regionId, digest, serverVersion }: ReferenceKey,
): Promise<readonly string[] | undefined> {
  const [row] = await home.query<{ lines: string[] }>(
    "reference_schemas.find",
    "select lines from tenantry.reference_schemas where region_id = $1 and digest = $2 and server_version = $3",
    [regionId, digest, serverVersion],
  );
  return row?.lines;
}

/** Keeps what was read, in the place of what was kept before. */
export async function keepReference(
  { home }: { home: HomeDatabase },
  { regionId, digest, serverVersion }: ReferenceKey,
  lines: readonly string[],
): Promise<void> {
  await home.query(
    "reference_schemas.keep",
    `with kept as (
       insert into tenantry.reference_schemas as r (region_id, digest, server_version, lines)
       select id, $2::text, $3::int, $4::text[] from tenantry.regions where id = $1
       on conflict (region_id, digest, server_version) do update set lines = excluded.lines, made_at = now()
     )
     delete from tenantry.reference_schemas where region_id = $1 and (digest, server_version) in (
       select digest, server_version from tenantry.reference_schemas
       where region_id = $1 and (digest, server_version) <> ($2::text, $3::int) order by made_at desc offset $5)`,
    [regionId, digest, serverVersion, lines, MAX_KEPT - 1],
  );
}
