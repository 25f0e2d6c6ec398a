/** What a placement's tenant database holds of its organization: where each table lies, what of it flows, how much there is. */
import { z } from "zod";
import type { Placement } from "#engine/home/placements";
import { orLate } from "#base/kernel/wait";
import { quoteLiteral, quoteQualified } from "#base/postgres/identifiers";
import { explainToCaller, regionNamed } from "#engine/failures/explain";
import { MAX_LOOK_MS } from "#engine/regions/probe-regions";
import type { Services } from "#engine/services";

export type PlacementTable = {
  /** With its schema. */
  name: string;
  /** `region`: it never leaves its database; `catalog`: columns of it flow to home; `directory`: from home. */
  flows: "region" | "catalog" | "directory";
  /** Those that flow. */
  columns: readonly string[];
  /** Of the organization; null: not known. */
  rows: number | null;
  /** Whether they were counted. Else it is what PostgreSQL believes, or the number up to which was counted. */
  isExact: boolean;
  /** With its indexes; null where the database is shared, or cannot be asked. */
  bytes: number | null;
};

export type PlacementContent = { problem: string | null; tables: PlacementTable[] };

/** Rows are counted up to this number: a page costs no scan of a big table. */
const MAX_COUNTED = 10_000;

/** A region's server can answer anything. */
const answer = z.array(
  z.object({
    name: z.string(),
    rows: z.number().int().min(0),
    bytes: z.string().regex(/^\d{1,15}$/),
    estimate: z.number(),
  }),
);
type Counted = z.output<typeof answer>[number];

/** The caller has checked that the actor may see the placement. A region that does not answer in time is the `problem`. */
export async function readPlacementContent(
  services: Pick<Services, "logger" | "router" | "tables">,
  placement: Placement,
): Promise<PlacementContent> {
  const { tables, flows } = services.tables.at(placement.schemaVersion);
  const { counted, problem } = await countIn(
    services,
    placement,
    tables.map(({ name }) => name),
  );
  const isShared = placement.isolation === "SHARED";
  const own = tables.map(({ name, catalog }): PlacementTable => {
    const found = counted.find((one) => one.name === name);
    const isExact = found !== undefined && found.rows <= MAX_COUNTED;
    return {
      name,
      flows: catalog === null ? "region" : "catalog",
      columns: catalog ?? [],
      rows: found === undefined ? null : isExact ? found.rows : atLeast(found, isShared),
      isExact,
      bytes: found === undefined || isShared ? null : Number(found.bytes),
    };
  });
  const sent = flows.directory.map(
    ({ from, columns }): PlacementTable => ({
      name: from,
      flows: "directory",
      columns,
      rows: null,
      isExact: false,
      bytes: null,
    }),
  );
  return { problem, tables: [...own, ...sent] };
}

function atLeast({ estimate }: Counted, isShared: boolean): number {
  return isShared ? MAX_COUNTED : Math.max(MAX_COUNTED, Math.round(estimate));
}

async function countIn(
  services: Pick<Services, "logger" | "router">,
  { id, organizationId, databaseId, schemaVersion }: Placement,
  tables: readonly string[],
): Promise<{ counted: Counted[]; problem: string | null }> {
  if (schemaVersion === null) return { counted: [], problem: "Its database is not made yet." };
  const route = (await services.router.routesOf(organizationId)).find(({ placementId }) => placementId === id);
  if (route === undefined) return { counted: [], problem: "Its database cannot be asked while it is made or removed." };
  if (tables.length === 0) return { counted: [], problem: null };
  const text = tables.map(
    (name) => `select ${quoteLiteral(name)} as name,
      (select count(*)::int from (
         select from ${quoteQualified(name)} where database_id = $1 and organization_id = $2 limit ${MAX_COUNTED + 1}) counted) as rows,
      pg_total_relation_size(${quoteLiteral(quoteQualified(name))}::regclass)::text as bytes,
      (select reltuples::float8 from pg_class where oid = ${quoteLiteral(quoteQualified(name))}::regclass) as estimate`,
  );
  try {
    const rows = await orLate(
      route.open().query("content.count", text.join(" union all "), [databaseId, organizationId]),
      MAX_LOOK_MS,
      () => new Error("connection timeout: no answer"),
    );
    return { counted: answer.parse(rows), problem: null };
  } catch (error) {
    const refused = explainToCaller(error, regionNamed(route.regionKey));
    if (refused === undefined) services.logger.warn({ err: error, region: route.regionKey }, "content was not counted");
    return { counted: [], problem: refused?.message ?? `The region ${route.regionKey} gave no answer that is one.` };
  }
}
