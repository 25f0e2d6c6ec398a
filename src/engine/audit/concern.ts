/** Whom an entry concerns, where the caller names only what is changed. */
import { ENGINE_SUBJECT_KINDS, PRUNED, type What } from "#engine/audit/entry";
import { HOME_NUMBER, placementNumberOf } from "#base/kernel/ids";
import type { Queryable } from "#base/postgres/database";

type Concern = { organizationId: string | null; placementId: string | null };

/** Kinds whose ids do not say where a row lives. */
const WITHOUT_NUMBER: ReadonlySet<string> = new Set([...ENGINE_SUBJECT_KINDS, PRUNED]);

/** By the kind of subject: the statement that finds its organization, and its placement if it has one. */
const FIND: Readonly<Record<string, { name: string; text: string }>> = {
  PLACEMENT: {
    name: "audit.of_placement",
    text: `select organization_id as "organizationId", id as "placementId" from tenantry.placements where id = $1`,
  },
  INVITATION: {
    name: "audit.of_invitation",
    text: `select organization_id as "organizationId", null as "placementId" from tenantry.invitations where id = $1`,
  },
  API_KEY: {
    name: "audit.of_key",
    text: `select organization_id as "organizationId", null as "placementId" from tenantry.api_keys where id = $1`,
  },
};

/**
 * Adds the organization and the placement to what is known. A region's key is kept only when there is such a region: what
 * else a caller writes there could be anything.
 */
export async function findConcern(home: Queryable<"home">, what: What): Promise<What> {
  const { subjectKind, subjectId, organizationId } = what;
  if (subjectKind === null || subjectId === null || organizationId !== null) return what;
  if (subjectKind === "REGION") {
    const found = await home.query("audit.region", "select from tenantry.regions where key = $1", [subjectId]);
    return found.length === 0 ? { ...what, subjectId: null } : what;
  }
  if (!WITHOUT_NUMBER.has(subjectKind)) return { ...what, ...(await concernOfContent(home, subjectId)) };
  const find = FIND[subjectKind];
  if (find === undefined) return what;
  const [concern] = await home.query<Concern>(find.name, find.text, [subjectId]);
  return { ...what, ...concern };
}

/** By the number in the id, as reads find their way. */
async function concernOfContent(home: Queryable<"home">, id: string): Promise<Concern | undefined> {
  const number = placementNumberOf(id);
  if (number === HOME_NUMBER) return undefined;
  const [concern] = await home.query<Concern>(
    "audit.of_content",
    `select p.organization_id as "organizationId", p.id as "placementId" from tenantry.placements p
     where p.number = $1 or p.id = (select a.placement_id from tenantry.adopted_numbers a where a.number = $1)`,
    [number],
  );
  return concern;
}
