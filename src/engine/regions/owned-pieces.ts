/**
 * Long work in a region asks with each piece whether the server is still this home's: an operator can have it adopted by another
 * home in the middle. The mark is in the catalogs that all databases of a server share, so the statement that writes the piece
 * reads it too, and costs no round trip.
 */
import { TenantryError } from "#base/kernel/errors";
import { quoteLiteral } from "#base/postgres/identifiers";
import { apiRoleName } from "#engine/replication/names";
import { NotOwner } from "#engine/regions/not-owner";
import type { HomeIdentity, Ownership } from "#engine/regions/ownership";

export type OwnedPieces = {
  /** SQL of a boolean, never null: whether the mark on the server is this home's. */
  readonly isOwned: string;
  /** For a piece that has found that it is not, and has written nothing: throws. */
  readonly refuse: () => Promise<never>;
};

/** Asks now, unless somebody has a moment ago, and lets the pieces ask. Throws as {@link Ownership.require}. */
export async function ownedPieces(
  { ownership, installation }: { ownership: Ownership; installation: string },
  regionId: string,
  { isAsked = false }: { isAsked?: boolean } = {},
): Promise<OwnedPieces> {
  if (!isAsked) await ownership.require(regionId);
  return {
    isOwned: isOwnedSql(installation, await ownership.identity()),
    refuse: async () => {
      await ownership.require(regionId);
      throw new TenantryError(
        "NOT_SYNCED",
        "The mark on the region's server has changed meanwhile: it is tried again.",
      );
    },
  };
}

/** For a job that is due however long the region is another home's: it is tried again until somebody has decided. */
export async function requireOrWait({ ownership }: { ownership: Ownership }, regionId: string): Promise<void> {
  try {
    await ownership.require(regionId);
  } catch (error) {
    if (error instanceof NotOwner) throw new TenantryError("NOT_SYNCED", error.message, { cause: error });
    throw error;
  }
}

/** A home that failed over has a later timeline than the mark. */
function isOwnedSql(installation: string, { owner, timeline }: HomeIdentity): string {
  return `exists (
    select from pg_catalog.pg_roles r
    cross join lateral regexp_match(shobj_description(r.oid, 'pg_authid'),
      '^Tenantry: region [^,]+, home ([0-9a-f]{32}) in timeline ([0-9A-F]{8}) since ') as mark
    where r.rolname = ${quoteLiteral(apiRoleName(installation))}
      and mark[1] = ${quoteLiteral(owner)} and mark[2] collate "C" <= ${quoteLiteral(timeline)})`;
}
