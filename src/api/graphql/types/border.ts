import { asParent, operatorOnly, row } from "#engine/auth/policy-table";
import { defineModule } from "#api/graphql/module";
import {
  type BorderDay,
  type BorderFlow,
  crossingKey,
  isCrossingKey,
  type MayCross,
  readBorderDays,
  readCrossed,
  readMayCross,
  readRefused,
} from "#engine/border/read-border";
import { type Builder, perSchema } from "#api/graphql/builder";
import { connectionType, pageArguments } from "#api/graphql/connections";

const FLOW = "directory: from home to the region; catalog: from the region to home.";
const DIRECTION = `${FLOW.slice(0, -1)}; move: from the region to another one, or another database, with a placement that moves there.`;
const TO_REGION = "Of a move: the key of the region that it went to; null: it is no move.";

const Flow = perSchema((builder) =>
  builder.objectRef<BorderFlow>("BorderFlow").implement({
    description: "A table of which rows may cross between home and the tenant databases.",
    fields: (t) => ({
      direction: t.exposeString("direction", { description: FLOW }),
      from: t.exposeString("from", { description: "The table that rows come from, with its schema." }),
      into: t.exposeString("into", { description: "The table that they go into, with its schema." }),
      columns: t.exposeStringList("columns", { description: "The columns that may cross, and no others." }),
      filter: t.exposeString("filter", { description: "In SQL: the rows that may cross." }),
      changes: t.stringList({
        description: "What may be done to the rows. Nothing else crosses, such as TRUNCATE.",
        resolve: ({ changes }) => [...changes],
      }),
      schemaVersions: t.intList({
        description: "The schema versions of tenant databases for which it is so.",
        resolve: ({ schemaVersions }) => schemaVersions,
      }),
      databases: t.exposeInt("databases", { description: "How many tenant databases there are of these versions." }),
    }),
  }),
);

function defineCrossing(builder: Builder): void {
  builder.objectType("BorderCrossing", {
    description: "What crossed on one day, of one table of one tenant database in one direction and way.",
    fields: (t) => ({
      day: t.exposeString("day", { description: "The day in UTC, as in 2026-01-31." }),
      regionKey: t.exposeString("regionKey", { description: "The region where the tenant database was on that day." }),
      toRegionKey: t.exposeString("toRegionKey", { nullable: true, description: TO_REGION }),
      database: t.exposeString("database", {
        description: "The tenant database's name on the region's server; of a move, the one that rows came from.",
      }),
      direction: t.exposeString("direction", { description: DIRECTION }),
      table: t.exposeString("table", { description: "The table at the publisher." }),
      way: t.exposeString("way", {
        description: "stream: as it changed; seed: when a copy was made of what was there before.",
      }),
      rows: t.exposeFloat("rows", { description: "How many rows crossed; one that changed twice crossed twice." }),
      bytes: t.exposeFloat("bytes", { description: "How many bytes they had on their way." }),
      firstAt: t.expose("firstAt", { type: "DateTime", description: "When the first of the day crossed." }),
      lastAt: t.expose("lastAt", { type: "DateTime", description: "When the last of the day crossed." }),
    }),
  });
}

function defineRefusal(builder: Builder): void {
  builder.objectType("BorderRefusal", {
    description: "Attempts at the border that were refused: those of one kind from one address within seconds.",
    fields: (t) => ({
      id: t.exposeID("id", { description: "UUIDv7: the order of the list." }),
      firstAt: t.expose("firstAt", { type: "DateTime", description: "When the first attempt was made." }),
      lastAt: t.expose("lastAt", { type: "DateTime", description: "When the last attempt was made." }),
      attempts: t.exposeInt("attempts", { description: "How many there were." }),
      address: t.exposeString("address", {
        nullable: true,
        description: "The IP address that they came from; null: not known, or several in a flood of attempts.",
      }),
      database: t.exposeString("database", {
        nullable: true,
        description: "The tenant database that they were about; null: none that is known.",
      }),
      direction: t.exposeString("direction", { nullable: true, description: `${DIRECTION} null: not known.` }),
      user: t.exposeString("user", {
        nullable: true,
        description: "The user name that the first attempt gave, which nobody has checked; null: it gave none.",
      }),
      code: t.exposeString("code", { description: "Why, as one of a few words such as wrong-password." }),
      sentence: t.exposeString("sentence", { description: "Why, in one sentence." }),
    }),
  });
}

export const Crossed = connectionType("BorderCrossing", "BorderCrossing", crossingKey, isCrossingKey);
const Refused = connectionType("BorderRefusal", "BorderRefusal", ({ id }) => id);

const Day = perSchema((builder) =>
  builder.objectRef<BorderDay>("BorderDay").implement({
    description: "What crossed on one day between home and one region, in one direction.",
    fields: (t) => ({
      day: t.exposeString("day", { description: "The day in UTC, as in 2026-01-31." }),
      regionKey: t.exposeString("regionKey", { description: "The region; of a move, the one that rows came from." }),
      toRegionKey: t.exposeString("toRegionKey", { nullable: true, description: TO_REGION }),
      direction: t.exposeString("direction", { description: DIRECTION }),
      rows: t.exposeFloat("rows", { description: "How many rows crossed; one that changed twice crossed twice." }),
      bytes: t.exposeFloat("bytes", { description: "How many bytes they had on their way." }),
    }),
  }),
);

const Border = perSchema((builder) =>
  builder.objectRef<{ allowed: () => Promise<MayCross> }>("Border").implement({
    description: "The border between home and the regions: what may cross it, what did, what was refused.",
    fields: (t) => ({
      mayCross: t.field({
        type: [Flow(builder)],
        description: "What may cross, by the declarations that the publications are made of.",
        resolve: async ({ allowed }) => (await allowed()).flows,
      }),
      newerDatabases: t.int({
        description: "Tenant databases that are newer than this program, which does not know what may cross of them.",
        resolve: async ({ allowed }) => (await allowed()).newerDatabases,
      }),
      crossed: t.field({
        type: Crossed.connection(builder),
        description: "What crossed, in daily sums, newest day first. Sums only grow.",
        args: {
          ...pageArguments(builder),
          regionKey: t.arg.string({ required: false, description: "Only what crossed to and from this region." }),
        },
        resolve: (_, { regionKey, ...args }, { actor, services }) =>
          Crossed.read(args, (page) => readCrossed(services, actor, regionKey == null ? {} : { regionKey }, page)),
      }),
      days: t.field({
        type: [Day(builder)],
        description: "What crossed by day, region and direction, newest day first.",
        args: {
          days: t.arg.int({ defaultValue: 30, description: "How many days, today among them; 90 at most." }),
          regionKey: t.arg.string({ required: false, description: "Only what crossed to and from this region." }),
        },
        resolve: (_, { days, regionKey }, { actor, services }) =>
          readBorderDays(services, actor, { days: days ?? 30, regionKey: regionKey ?? null }),
      }),
      refused: t.field({
        type: Refused.connection(builder),
        description: "Attempts that were refused, newest first. They are never changed.",
        args: pageArguments(builder),
        resolve: (_, args, { actor, services }) => Refused.read(args, (page) => readRefused(services, actor, {}, page)),
      }),
    }),
  }),
);

function defineQueries(builder: Builder): void {
  builder.queryField("border", (t) =>
    t.field({
      type: Border(builder),
      description: "The border between home and the regions. For the operator.",
      resolve: (_, __, { actor, services }) => {
        let allowed: Promise<MayCross> | undefined;
        return { allowed: () => (allowed ??= readMayCross(services, actor)) };
      },
    }),
  );
}

/** The border between home and the regions. */
export const border = defineModule({
  name: "border",
  policy: {
    Query: {
      border: row(operatorOnly),
    },
    Border: asParent("mayCross newerDatabases crossed days refused"),
    BorderDay: asParent("day regionKey toRegionKey direction rows bytes"),
    BorderFlow: asParent("direction from into columns filter changes schemaVersions databases"),
    BorderCrossing: asParent("day regionKey toRegionKey database direction table way rows bytes firstAt lastAt"),
    BorderRefusal: asParent("id firstAt lastAt attempts address database direction user code sentence"),
  },
  types: [defineCrossing, defineRefusal, defineQueries],
});
