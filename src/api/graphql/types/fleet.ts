import { addDatabaseFields } from "#api/graphql/types/database-fields";
import { asParent, operatorOnly, row } from "#engine/auth/policy-table";
import { defineModule } from "#api/graphql/module";
import { invalidInput } from "#base/kernel/errors";
import { type Page, type PageRequest, toPage } from "#base/kernel/page";
import type { NumberRange } from "#engine/home/replicated-databases";
import type { DriftOfDatabase } from "#engine/doctor/drift";
import { listComparable } from "#engine/doctor/find-drift";
import {
  type Fleet as FleetRow,
  type FleetDatabaseRecord,
  type FleetRun,
  type FleetVersion,
  readFleet,
  readFleetDatabases,
  readFleetRun,
} from "#engine/fleet/read-fleet";
import { totalOf } from "#engine/migrations/schema-version";
import { type Builder, perSchema } from "#api/graphql/builder";
import { connectionType, pageArguments } from "#api/graphql/connections";

const Version = perSchema((builder) =>
  builder.objectRef<FleetVersion>("FleetVersion").implement({
    description: "How many tenant databases have a schema version.",
    fields: (t) => ({
      version: t.exposeInt("version", { nullable: true, description: "The version; null: they are being made." }),
      databases: t.exposeInt("databases", { description: "How many have it." }),
      isTarget: t.exposeBoolean("isTarget", { description: "Whether it is the one that this program migrates to." }),
    }),
  }),
);

const FleetDatabase = perSchema((builder) => {
  const type = builder.objectRef<FleetDatabaseRecord>("FleetDatabase").implement({
    description: "A tenant database, by its schema version.",
    fields: (t) => ({
      version: t.int({
        nullable: true,
        description: "How many migrations it has; null: it is being made.",
        resolve: ({ version }) => (version === null ? null : totalOf(version)),
      }),
      migratingTo: t.int({
        nullable: true,
        description: "The version that a migration is bringing it to, while what flows changes.",
        resolve: ({ migratingTo }) => (migratingTo === null ? null : totalOf(migratingTo)),
      }),
      migratedAt: t.expose("migratedAt", { type: "DateTime", nullable: true, description: "When it got its version." }),
      failure: t.exposeString("failure", {
        nullable: true,
        description: "Why its last migration failed; null: it did not.",
      }),
      failedAt: t.expose("failedAt", { type: "DateTime", nullable: true, description: "When it failed." }),
    }),
  });
  addDatabaseFields(builder, type);
  return type;
});

const Run = perSchema((builder) =>
  builder.objectRef<FleetRun>("FleetRun").implement({
    description: "A migration of the fleet: the one that runs, or the last one.",
    fields: (t) => ({
      job: t.field({ type: "Job", description: "Its job, with its steps.", resolve: ({ job }) => job }),
      canaries: t.exposeInt("canaries", {
        nullable: true,
        description: "How many databases go first, alone; null: it is not planned yet.",
      }),
      waves: t.intList({
        nullable: true,
        description: "How many databases each wave has; null: it is not planned yet.",
        resolve: ({ waves }) => waves,
      }),
      migrated: t.exposeInt("migrated", { description: "How many databases got another version since it began." }),
      failed: t.exposeInt("failed", { description: "How many have failed since it began, where it has noted them." }),
      left: t.exposeInt("left", { description: "How many databases are not at the target now." }),
    }),
  }),
);

const DriftRef = perSchema((builder) => {
  const type = builder.objectRef<DriftOfDatabase>("FleetDrift").implement({
    description: "How a tenant database differs from what its migrations make of a new one.",
    fields: (t) => ({
      version: t.exposeInt("version", {
        description: "How many migrations it has, by itself; where it cannot be read, by home.",
      }),
      differences: t.exposeStringList("differences", {
        description: "What differs, or why it cannot be compared, in a sentence each. Empty: nothing does.",
      }),
    }),
  });
  addDatabaseFields(builder, type);
  return type;
});

/** Cursors hold the number of a database. */
const isNumber = (text: string) => /^\d{1,9}$/.test(text);
/** The rows of a page, read by their numbers. */
async function readPage<Row>(page: PageRequest, read: (range: NumberRange) => Promise<Row[]>): Promise<Page<Row>> {
  const { first, after, before, backwards = false } = page;
  const bound = before == null ? {} : { before: Number(before) };
  return toPage(await read({ after: Number(after ?? "0"), ...bound, last: backwards, limit: first + 1 }), page);
}
const Databases = connectionType("FleetDatabase", FleetDatabase, ({ id }) => String(id), isNumber);
const Drifts = connectionType("FleetDrift", DriftRef, ({ databaseId }) => String(databaseId), isNumber);

/** More at once would be a load on the servers. */
const MAX_COMPARED = 20;
const DEFAULT_COMPARED = 5;
/** A database may have to be made there, to compare with. */
const MAX_COMPARE_MS = 10_000;

const Fleet = perSchema((builder) =>
  builder.objectRef<FleetRow>("Fleet").implement({
    description: "The tenant databases by their schema versions.",
    fields: (t) => ({
      target: t.int({
        description: "The schema version that this program migrates to.",
        resolve: ({ target }) => totalOf(target),
      }),
      versions: t.field({
        type: [Version(builder)],
        description: "Which versions there are, the oldest first.",
        resolve: ({ versions }) => versions,
      }),
      databases: t.field({
        type: Databases.connection(builder),
        description: "Tenant databases, oldest first.",
        args: {
          ...pageArguments(builder),
          behind: t.arg.boolean({ defaultValue: false, description: "Only those at another version than the target." }),
          failed: t.arg.boolean({ defaultValue: false, description: "Only those whose last migration failed." }),
        },
        resolve: (_, { behind, failed, ...args }, { actor, services }) =>
          Databases.read(args, (page) => {
            const filter = { behind: behind === true, failed: failed === true };
            return readPage(page, (range) => readFleetDatabases(services, actor, filter, range));
          }),
      }),
      run: t.field({
        type: Run(builder),
        nullable: true,
        description: "The migration that runs, or the last one; null: there was none.",
        resolve: (_, __, { actor, services }) => readFleetRun(services, actor),
      }),
      drift: t.field({
        type: Drifts.connection(builder),
        description: `Compares tenant databases with what their migrations make of a new one, oldest first. It asks each of them, so ${MAX_COMPARED} are compared at most, ${DEFAULT_COMPARED} where first is left out.`,
        args: pageArguments(builder),
        resolve: (_, { first, last, ...args }, { actor, services }) => {
          for (const [name, rows] of Object.entries({ first, last }))
            if (rows != null && rows > MAX_COMPARED)
              throw invalidInput(name, `${name} must be between 0 and ${MAX_COMPARED} here.`);
          const size = last == null ? { first: first ?? DEFAULT_COMPARED } : { first, last };
          return Drifts.read({ ...size, ...args }, async (page) => {
            const found = await readPage(page, (range) => listComparable(services, actor, range));
            return { ...found, rows: await services.compareDatabases(found.rows, MAX_COMPARE_MS) };
          });
        },
      }),
    }),
  }),
);

function defineQueries(builder: Builder): void {
  builder.queryField("fleet", (t) =>
    t.field({
      type: Fleet(builder),
      description: "The tenant databases by their schema versions. For the operator.",
      resolve: (_, __, { actor, services }) => readFleet(services, actor),
    }),
  );
}

/** The schemas of the tenant databases. */
export const fleet = defineModule({
  name: "fleet",
  policy: {
    Query: { fleet: row(operatorOnly) },
    Fleet: asParent("target versions databases run drift"),
    FleetVersion: asParent("version databases isTarget"),
    FleetDatabase: asParent("database region version migratingTo migratedAt failure failedAt"),
    FleetRun: asParent("job canaries waves migrated failed left"),
    FleetDrift: asParent("database region version differences"),
  },
  weights: { "Fleet.drift": 100 },
  types: [defineQueries],
});
