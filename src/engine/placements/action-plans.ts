/** What an action that takes something away would do, in sentences, before somebody asks for it. Changes nothing. */
import { requireInOrganization } from "#engine/auth/membership";
import { authorizeOperator } from "#engine/auth/policy";
import { type Actor, OPERATOR } from "#engine/auth/actor";
import { countOrganization, getOrganization, type OrganizationCounts } from "#engine/home/organizations";
import { getManagedPlacement, listPlacementsOf, type Placement } from "#engine/home/placements";
import { countActiveJobs } from "#engine/jobs/list-jobs";
import { readPlacementContent } from "#engine/placements/placement-content";
import { readSizesInTime, sizeKey } from "#engine/placements/database-sizes";
import { getRegion, findRegions } from "#engine/regions/regions";
import type { Services } from "#engine/services";

export type ActionPlan = {
  /** What the action does. */
  what: string;
  /** What goes, one by one. */
  sentences: string[];
  /** Why it would be refused now, or not get to its end. */
  obstacles: string[];
  /** What whoever asks for it has to type. */
  confirm: string;
};

/** Of revokeRegionAccess. NOT_FOUND and FORBIDDEN as that. */
export async function planRevocation(services: Services, actor: Actor, placementId: string): Promise<ActionPlan> {
  const placement = await getManagedPlacement(services, actor, placementId);
  const organization = await getOrganization(services, OPERATOR, placement.organizationId);
  const [key, goes] = await Promise.all([keyOf(services, placement), whatGoes(services, placement)]);
  return {
    what: `${organization.name} has no access to region ${key} any more: no reads and writes at once, and after 7 days its data there is removed. Until then it can be resumed. With skipGrace it is removed at once, and there is no way back but a backup.`,
    sentences: goes,
    obstacles: [...obstaclesOf(services, placement, key)],
    confirm: organization.name,
  };
}

/** Of deleteOrganization. NOT_FOUND and FORBIDDEN as that. */
export async function planDeletion(services: Services, actor: Actor, organizationId: string): Promise<ActionPlan> {
  await requireInOrganization(services.home, actor, organizationId, "manage-organization");
  const organization = await getOrganization(services, OPERATOR, organizationId);
  const [placements, counts] = await Promise.all([
    listPlacementsOf(services, [organizationId]),
    countOrganization(services, organizationId),
  ]);
  const plans = await Promise.all(
    placements.map(async (placement) => {
      const key = await keyOf(services, placement);
      const sentences = await whatGoes(services, placement);
      return { key, sentences, obstacles: obstaclesOf(services, placement, key) };
    }),
  );
  return {
    what: `${organization.name} is deleted with its data in every region, at once and for good. Users and the audit log stay.`,
    sentences: [
      ...plans.flatMap(({ key, sentences }) => sentences.map((sentence) => `${key}: ${sentence}`)),
      ...describeCounts(counts),
    ],
    obstacles: plans.flatMap(({ obstacles }) => obstacles),
    confirm: organization.name,
  };
}

/** Of retireRegion, for the operator. */
export async function planRetirement(
  services: Pick<Services, "home" | "ownership" | "readings">,
  actor: Actor,
  regionKey: string,
  moveTo: string | null = null,
): Promise<ActionPlan> {
  authorizeOperator(actor);
  const region = await getRegion(services, regionKey);
  const [all, servers] = await Promise.all([services.readings.placements(actor), services.readings.servers(actor)]);
  const server = servers.find(({ regionId }) => regionId === region.id);
  const placements = all.placements
    .filter(({ regionId }) => regionId === region.id)
    .reduce((sum, one) => sum + one.placements, 0);
  const lost = services.ownership.whyLost(region.id);
  return {
    what: `Region ${region.key} takes no more grants, and a worker removes what Tenantry has left on its server: templates and the API's role. The server and everything else on it stay.`,
    sentences: [
      "No row of an organization goes: a region is retired only when no placement is left in it.",
      ...(moveTo === null || placements === 0
        ? []
        : [
            `A worker moves ${counted(placements, "placement")} to ${moveTo} first. Until then the region stays in service.`,
          ]),
    ],
    obstacles: [
      ...(placements === 0 || moveTo !== null
        ? []
        : [`${counted(placements, "placement")} must be moved or revoked before.`]),
      ...(server?.isUp === false
        ? ["Its server cannot be reached now: a worker waits for it. With abandonServer it is left as it is."]
        : []),
      ...(lost === undefined ? [] : [lost]),
    ],
    confirm: region.key,
  };
}

async function keyOf(services: Pick<Services, "home">, { regionId }: Placement): Promise<string> {
  const [region] = await findRegions(services, [regionId]);
  return region?.key ?? "that is gone";
}

async function whatGoes(services: Services, placement: Placement): Promise<string[]> {
  const isOwn = placement.isolation === "DEDICATED" && placement.schemaVersion !== null;
  const [{ tables, problem }, sizes, jobs] = await Promise.all([
    readPlacementContent(services, placement),
    isOwn ? readSizesInTime(services, [placement]) : new Map<string, number>(),
    countActiveJobs(services, placement.id),
  ]);
  const bytes = sizes.get(sizeKey(placement));
  return [
    placement.isolation === "DEDICATED"
      ? `The database ${placement.database}${bytes === undefined ? "" : `, ${counted(bytes, "byte")},`} and its two links.`
      : `Its rows in the database ${placement.database}, which others go on using.`,
    ...tables
      .filter(({ flows, rows }) => flows !== "directory" && rows !== null)
      .map(({ name, rows, isExact }) => `${isExact ? "" : "About "}${counted(rows ?? 0, "row")} of ${name}.`),
    ...(tables.some(({ flows }) => flows === "catalog") ? ["What home's catalog shows of these rows."] : []),
    ...(problem === null ? [] : [`How many rows is not known: ${problem}`]),
    ...(jobs === 0 ? [] : [`${counted(jobs, "job")} on it that ${jobs === 1 ? "is" : "are"} not over.`]),
  ];
}

function obstaclesOf(
  { ownership }: Pick<Services, "ownership">,
  { state, regionId }: Placement,
  key: string,
): string[] {
  const lost = ownership.whyLost(regionId);
  return [
    ...(lost === undefined ? [] : [lost]),
    ...(state === "MOVING"
      ? [`The placement in ${key} is being moved: cancel the move first, or wait until it is over.`]
      : []),
    ...(state === "REVOKING" ? [`The placement in ${key} is being removed already.`] : []),
  ];
}

function describeCounts({ members, keys, invitations }: OrganizationCounts): string[] {
  return [
    `${counted(members, "membership")}. The people stay.`,
    ...(keys === 0 ? [] : [`${counted(keys, "key")} that ${keys === 1 ? "is" : "are"} good now.`]),
    ...(invitations === 0 ? [] : [`${counted(invitations, "open invitation")}.`]),
  ];
}

function counted(count: number, what: string): string {
  return `${count.toLocaleString("en")} ${what}${count === 1 ? "" : "s"}`;
}
