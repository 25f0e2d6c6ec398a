/**
 * How many statements each list costs, whatever it holds: the table below has a row for every field that leads to another
 * object or asks a server, and a field without a row fails. Counted is what the driver sends.
 */
import {
  getNamedType,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLObjectType,
  isInterfaceType,
  isLeafType,
  isObjectType,
} from "graphql";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { rulesOf } from "#api/graphql/policy/field-rules";
import { schema } from "../support/schema.ts";
import { type BudgetFixture, MOST_ROWS, startBudgetFixture } from "../support/budget-fixture.ts";
import { recordStatements } from "../support/statements.ts";

let started: Promise<BudgetFixture> | undefined;
afterAll(async () => (await started)?.stop());

/** Of statements; nothing here depends on rows but how many locations they are in. */
type Budget = {
  /** At home. */
  home: number;
  /** In tenant databases, for each placement that is touched. */
  tenant?: number;
  /** At servers, for each region that is asked. */
  server?: number;
  /** At home besides, for each region whose replication is asked for. */
  homePerRegion?: number;
  /** How many placements or regions so many rows are in; 1 when left out. */
  locations?: (rows: number) => number;
  /** The operator asks; else an owner of all organizations, whose roles are looked up. */
  as?: "operator";
  /** The arguments of the field of Query. */
  where?: (fixture: BudgetFixture) => string;
  /** The same with many fields of Query, each under another name. */
  each?: (fixture: BudgetFixture) => string[];
  /** How many objects the path leads to; the rows of a list when left out. */
  objects?: (rows: number) => number;
};

const sameAsRows = (rows: number) => rows;
const once = () => 1;
const squared = (rows: number) => rows * rows;
/** Lists below an organization: that of the first is as long as asked for, those of the others have one row. */
const ofOrganizations = (rows: number) => rows + rows - 1;
/** All placements are in one region, but for those of the second organization and the following, who have a second one. */
const oneRegionOrTwo = (rows: number) => (rows === 1 ? 1 : 2);

/** The page is surveyed with the row that says whether there is more. */
const twoRegions = () => 2;

const one = { where: ({ organization }: BudgetFixture) => `organizationId: "${organization}"` };
const byId = (kind: keyof BudgetFixture["ids"]) => ({
  each: ({ ids }: BudgetFixture) => ids[kind].map((id) => `id: "${id}"`),
});
const byKey = { each: ({ regionKeys }: BudgetFixture) => regionKeys.map((key) => `key: "${key}"`) };

/** By the path from Query, without what wraps the rows of connections. What follows a space tells rows of one path apart. */
const none = () => 0;

const TABLE: Record<string, Budget> = {
  // Each kind of object at home is looked for.
  node: { home: 7, ...byId("user") },
  nodes: {
    home: 7,
    where: ({ ids }) => `ids: ${JSON.stringify(ids.user.slice(0, 5))}`,
    objects: () => 5,
  },
  me: { home: 1, objects: once },
  viewer: { home: 0, objects: once },
  "viewer.user": { home: 1, objects: once },
  // Of a key alone.
  "viewer.organization": { home: 0, objects: none },
  "me.organizations": { home: 3 },
  user: { home: 1, ...byId("user") },
  users: { home: 1 },
  organization: { home: 2, ...byId("organization") },
  organizations: { home: 2 },
  "organizations.members": { home: 3, objects: ofOrganizations },
  "organizations.members.user": { home: 4, objects: ofOrganizations },
  "organizations.members.organization": { home: 4, objects: ofOrganizations },
  "organizations.invitations": { home: 3, objects: ofOrganizations },
  "organizations.invitations.organization": { home: 4, objects: ofOrganizations },
  "organizations.placements": { home: 3, objects: ofOrganizations },
  "organizations.placements.organization": { home: 4, objects: ofOrganizations },
  "organizations.placements.region": { home: 4, objects: ofOrganizations },
  "organizations.placements.replication": {
    home: 3,
    homePerRegion: 7,
    server: 5,
    locations: oneRegionOrTwo,
    objects: ofOrganizations,
  },
  "organizations.resources": { home: 4, objects: ofOrganizations },
  "organizations.resources.comments": {
    home: 6,
    tenant: 1,
    locations: sameAsRows,
    objects: (rows) => rows * ofOrganizations(rows),
  },
  "organizations.resources.comments.author": {
    home: 6,
    tenant: 1,
    locations: sameAsRows,
    objects: (rows) => rows * ofOrganizations(rows),
  },
  placement: { home: 1, ...byId("placement") },
  region: { home: 1, ...byKey },
  regions: { home: 1 },
  "regions.server": { home: 1, as: "operator" },
  "regions.coordinates": { home: 1, objects: none },
  "regions.placements": { home: 2, objects: (rows) => (rows < MOST_ROWS ? rows : rows + rows - 1) },
  resource: { home: 2, tenant: 1, ...byId("resource") },
  "resource.comments": { home: 2, tenant: 2, ...byId("resource"), objects: squared },
  "resource.comments.author": { home: 2, tenant: 2, ...byId("resource"), objects: squared },
  "resource.comments.author as one statement": {
    home: 2,
    tenant: 1,
    where: ({ ids }) => `id: "${ids.resource[0]}"`,
  },
  "resource.comments at home": { home: 2, ...byId("resourceAtHome"), objects: squared },
  "resource.comments.author at home": { home: 3, ...byId("resourceAtHome"), objects: squared, as: "operator" },
  resources: { home: 2, ...one },
  "resources.organization": { home: 4, ...one },
  "resources.region": { home: 3, ...one },
  "resources.createdBy": { home: 3, ...one },
  "resources.comments": { home: 4, tenant: 1, ...one, objects: squared },
  "resources.comments.author": { home: 4, tenant: 1, ...one, objects: squared },
  "resources.comments.resource": { home: 4, tenant: 2, ...one, objects: squared },
  apiKeys: { home: 2, ...one },
  "apiKeys.organization": { home: 4, ...one },
  jobs: { home: 1 },
  "jobs.steps": { home: 2, objects: (rows) => 3 * rows },
  "jobs.region": { home: 1, objects: none },
  jobKinds: { home: 0, objects: () => 12 },
  placements: { home: 1, as: "operator" },
  // None is on a move.
  "placements.move": { home: 2, as: "operator", objects: none },
  "placements.move.from": { home: 2, as: "operator", objects: none },
  "placements.move.to": { home: 2, as: "operator", objects: none },
  "placements.move.from.region": { home: 2, as: "operator", objects: none },
  "placements.links": { home: 2, as: "operator", objects: (rows) => 2 * rows },
  links: { home: 1, as: "operator" },
  "links.region": { home: 2, as: "operator" },
  // Both links of the shared database come first, with as many of its placements as are shown.
  "links.placements": { home: 2, as: "operator", objects: (rows) => (rows === 1 ? 20 : rows + 38) },
  fleet: { home: 1, as: "operator", objects: once },
  "fleet.versions": { home: 1, as: "operator", objects: () => 2 },
  "fleet.databases": { home: 2, as: "operator" },
  "fleet.databases.region": { home: 3, as: "operator" },
  "fleet.run": { home: 2, as: "operator", objects: none },
  "fleet.run.job": { home: 2, as: "operator", objects: none },
  "organizations.memberCount": { home: 3 },
  "organizations.lastActivityAt": { home: 3 },
  replication: { home: 0, as: "operator", objects: once },
  "replication.servers": { home: 3, server: 1, locations: sameAsRows, as: "operator", objects: (rows) => rows + 1 },
  "replication.servers.headroom": {
    home: 3,
    server: 1,
    locations: sameAsRows,
    as: "operator",
    objects: (rows) => 5 * (rows + 1),
  },
  "replication.databases": { home: 1, homePerRegion: 7, server: 5, locations: twoRegions, as: "operator" },
  "replication.databases.region": { home: 2, homePerRegion: 7, server: 5, locations: twoRegions, as: "operator" },
  "replication.databases.flows": {
    home: 1,
    homePerRegion: 7,
    server: 5,
    locations: twoRegions,
    as: "operator",
    objects: (rows) => 2 * rows,
  },
  // What may cross is asked for as well: how many databases are newer is a leaf.
  border: { home: 1, as: "operator", objects: once },
  "border.mayCross": { home: 1, as: "operator", objects: () => 3 },
  "border.crossed": { home: 2, as: "operator" },
  "border.refused": { home: 2, as: "operator" },
  auditLog: { home: 1, as: "operator" },
  "auditLog of an organization": { home: 3, tenant: 1, ...one },
};

/**
 * What is read once for everybody in the process, so that a caller finds it read or not (readings.test.ts), and what a page asks for
 * one thing at a time (console-api.test.ts).
 */
const SHARED_OR_SINGLE = [
  ..."home overview job revocationPlan organizationDeletionPlan regionRetirementPlan"
    .split(" ")
    .map((name) => `Query.${name}`),
  ..."home jobs links regions attention".split(" ").map((name) => `Overview.${name}`),
  ..."region states links".split(" ").map((name) => `RegionOverview.${name}`),
  ..."lagBytes walBytes problem".split(" ").map((name) => `Link.${name}`),
  ..."version reachable headroom".split(" ").map((name) => `RegionServer.${name}`),
  ..."bytes content crossed".split(" ").map((name) => `Placement.${name}`),
  ..."HomeServer.coordinates HomeServer.headroom Attention.region Organization.bytes PlacementContent.tables".split(
    " ",
  ),
  ..."Border.days Fleet.drift FleetDrift.region".split(" "),
];

const fieldsOf = (type: GraphQLObjectType) => Object.values(type.getFields());
const asksServers = (type: GraphQLObjectType, name: string) => {
  const field = type.getFields()[name];
  return field !== undefined && rulesOf(field).points !== undefined;
};
const isWrapping = ({ name }: GraphQLObjectType) => /(Connection|Edge)$/.test(name);

/** Fields that lead from one object to others, or ask a server, as `Type.field`. */
function costlyFields(): string[] {
  const found = new Set<string>();
  const seen = new Set<GraphQLObjectType>();
  const visit = (type: GraphQLObjectType) => {
    if (seen.has(type)) return;
    seen.add(type);
    for (const field of fieldsOf(type)) {
      const target = getNamedType(field.type);
      if (isObjectType(target)) visit(target);
      if (!isWrapping(type) && (isObjectType(target) || asksServers(type, field.name)))
        found.add(`${type.name}.${field.name}`);
    }
  };
  visit(schema.getQueryType() as GraphQLObjectType);
  return [...found];
}

type Step = { type: GraphQLObjectType; field: GraphQLField<unknown, unknown>; node: GraphQLNamedType };

/** The fields of a path, with the types that they are of and lead to. */
function stepsOf(path: string): Step[] {
  let type = schema.getQueryType() as GraphQLObjectType;
  const [fields = ""] = path.split(" ");
  return fields.split(".").map((name) => {
    const field = type.getFields()[name];
    if (field === undefined) throw new Error(`${type.name} has no field ${name}`);
    const step = { type, field, node: nodeOf(field) };
    if (isObjectType(step.node)) type = step.node;
    return step;
  });
}

/** What a field leads to; of a connection its rows. */
function nodeOf({ type }: GraphQLField<unknown, unknown>): GraphQLNamedType {
  const named = getNamedType(type);
  return isPage(named)
    ? nodeOf(fieldOf(getNamedType(fieldOf(named, "edges").type) as GraphQLObjectType, "node"))
    : named;
}

function isPage(type: GraphQLNamedType): type is GraphQLObjectType {
  return isObjectType(type) && type.name.endsWith("Connection");
}

function fieldOf(type: GraphQLObjectType, name: string): GraphQLField<unknown, unknown> {
  const field = type.getFields()[name];
  if (field === undefined) throw new Error(`${type.name} has no field ${name}`);
  return field;
}

/** Everything that a row of the type has, but for what asks servers. */
function leavesOf(type: GraphQLObjectType): string[] {
  const own = fieldsOf(type).filter(({ type: of, name }) => isLeafType(getNamedType(of)) && !asksServers(type, name));
  return ["__typename", ...own.map(({ name }) => name)];
}

test("every field that leads to other objects or asks a server has a row in the table", () => {
  const covered = new Set(
    Object.keys(TABLE).map((path) => {
      const last = stepsOf(path).at(-1);
      return `${last?.type.name}.${last?.field.name}`;
    }),
  );
  expect([...covered, ...SHARED_OR_SINGLE].toSorted()).toEqual(costlyFields().toSorted());
});

/** Asks for everything on the way, `rows` of each list. */
function writeSteps([step, ...rest]: Step[], rows: number, where = ""): string {
  if (step === undefined) return "";
  const { field, node } = step;
  const first = field.args.some(({ name }) => name === "first") ? `first: ${rows}` : "";
  const given = [first, where].filter((text) => text !== "").join(", ");
  const call = `${field.name}${given === "" ? "" : `(${given})`}`;
  if (isInterfaceType(node)) return `${call} { id }`;
  if (!isObjectType(node)) return call;
  const inner = `{ ${leavesOf(node).join(" ")} ${writeSteps(rest, rows)} }`;
  const pageInfo = schema.getType("PageInfo") as GraphQLObjectType;
  return isPage(getNamedType(field.type))
    ? `${call} { pageInfo { ${leavesOf(pageInfo).join(" ")} } edges { cursor node ${inner} } }`
    : `${call} ${inner}`;
}

function writeQuery(path: string, budget: Budget, fixture: BudgetFixture, rows: number): string {
  const steps = stepsOf(path);
  if (budget.each === undefined) return `{ ${writeSteps(steps, rows, budget.where?.(fixture))} }`;
  const fields = budget.each(fixture).slice(0, rows);
  // With __typename it is not planned as one statement, also when it is one field.
  return `{ __typename ${fields.map((where, index) => `f${index}: ${writeSteps(steps, rows, where)}`).join(" ")} }`;
}

/** How many objects, or values, the path leads to in an answer. */
function countObjects(path: string, data: object): number {
  const [, ...rest] = stepsOf(path);
  const { __typename: _, ...fields } = data as Record<string, unknown>;
  const rowsOf = (value: unknown): unknown[] => {
    if (value === null || value === undefined) return [];
    if (Array.isArray(value)) return value.flatMap(rowsOf);
    if (typeof value === "object" && "edges" in value) return rowsOf(value.edges);
    return typeof value === "object" && "node" in value ? rowsOf(value.node) : [value];
  };
  let reached = Object.values(fields).flatMap(rowsOf);
  for (const { field } of rest)
    reached = reached.flatMap((value) => rowsOf((value as Record<string, unknown>)[field.name]));
  return reached.length;
}

describe.each([1, 5, MOST_ROWS])("with %i rows", (rows) => {
  let fixture: BudgetFixture;
  beforeAll(async () => {
    fixture = await (started ??= startBudgetFixture());
    await fixture.keepRegions(rows);
  });

  test.each(Object.entries(TABLE))("%s", async (path, budget) => {
    const { api, owner } = fixture;
    const query = writeQuery(path, budget, fixture, rows);
    const ask = () => api.ask(query, {}, budget.as === "operator" ? undefined : owner);
    // Connects.
    await ask();
    // What a process knows of placements after a while must not hide what finding them costs.
    api.services.router.forget();
    api.services.roleCache.forget();
    using recorded = recordStatements();
    const data = await ask();
    // Signing in is remembered for a while or not, and no list's matter.
    const sent = recorded.sent.filter(({ name }) => name !== "users.exists");
    const count = (kind: string) => sent.filter((statement) => statement.kind === kind).length;
    const locations = budget.locations?.(rows) ?? 1;
    expect(
      { home: count("home"), tenant: count("tenant"), server: count("server") },
      sent.map(({ kind, name }) => `${kind} ${name}`).join(", "),
    ).toEqual({
      home: budget.home + (budget.homePerRegion ?? 0) * locations,
      tenant: (budget.tenant ?? 0) * locations,
      server: (budget.server ?? 0) * locations,
    });
    expect(countObjects(path, data)).toBe((budget.objects ?? sameAsRows)(rows));
  });
});
