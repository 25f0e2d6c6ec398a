/** What the console is told while a region is away: all of the rest, soon, and a sentence about that one. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { serverUrl, startApp, type TestApp } from "../support/app.ts";
import { createOrganization, createResource, eventually, grant, registerRegion } from "../support/journey.ts";
import { type OwnServer, startServer } from "../support/servers.ts";

let app: TestApp;
let server: OwnServer;
let acme: string;
let there: { id: string; database: string };
let here: { id: string; database: string };

beforeAll(async () => {
  server = await startServer();
  app = await startApp();
  acme = await createOrganization(app, "Acme");
  await registerRegion(app, "eu", serverUrl("eu"));
  await registerRegion(app, "far", server.url());
  here = await grant(app, acme, "eu");
  there = await grant(app, acme, "far");
  await createResource(app, { name: "There", organizationId: acme, regionKey: "far" });
  await createResource(app, { name: "Here", organizationId: acme, regionKey: "eu" });
  await server.server.stop();
});
afterAll(async () => {
  await app.stop();
  await server[Symbol.asyncDispose]();
});

test("the overview has everything else, and names the region and the next command", async () => {
  const overview = await eventually(async () => {
    const { overview: found } = await app.ask(`{ overview { placements
      regions { region { key } reachable problem placements links { awake parked late broken } }
      attention { severity sentence command region { key } } } }`);
    return found.regions[1].reachable ? undefined : found;
  });
  expect(overview.regions).toMatchObject([
    { region: { key: "eu" }, reachable: true, problem: null, placements: 1 },
    { region: { key: "far" }, reachable: false, problem: expect.stringContaining("far"), placements: 1 },
  ]);
  expect(overview.attention).toContainEqual({
    severity: "ERROR",
    sentence: expect.stringMatching(/^The server of region far cannot be read: .+\.$/),
    command: "tenantry region check far",
    region: { key: "far" },
  });
  // What only waits for it is not said again.
  expect(overview.attention.filter(({ region }: any) => region?.key === "far")).toHaveLength(1);
});

test("regions, links, placements and sizes come with a gap and a sentence", async () => {
  const { regions, links, placements, organizations } = await app.ask(`{
    regions { key server { reachable version problem headroom { setting } clockAheadSeconds answersSince advice } }
    links { edges { node { database direction state lagBytes walBytes problem } } }
    placements { edges { node { id bytes content { problem tables { name rows bytes } } } } }
    organizations { edges { node { bytes memberCount } } } }`);
  expect(regions[0].server).toMatchObject({ reachable: true, answersSince: expect.any(String) });
  expect(regions[1].server).toEqual({
    reachable: false,
    version: null,
    problem: expect.any(String),
    headroom: null,
    clockAheadSeconds: null,
    answersSince: null,
    advice: [],
  });
  const linksOf = (database: string) =>
    links.edges.map(({ node }: any) => node).filter((node: any) => node.database === database);
  expect(linksOf(here.database)).toMatchObject([
    { problem: null, walBytes: expect.any(Number) },
    { problem: null, walBytes: expect.any(Number) },
  ]);
  for (const link of linksOf(there.database))
    expect(link).toMatchObject({ lagBytes: null, walBytes: null, problem: expect.any(String) });
  const [one, other] = placements.edges.map(({ node }: any) => node);
  expect(one).toMatchObject({ id: here.id, bytes: expect.any(Number), content: { problem: null } });
  expect(other).toMatchObject({ id: there.id, bytes: null, content: { problem: expect.stringContaining("far") } });
  expect(other.content.tables).toContainEqual({ name: "app.resources", rows: null, bytes: null });
  expect(organizations.edges[0].node.bytes).toBeGreaterThan(0);
});

test("plans say what is not known, and drift says what could not be compared", async () => {
  const { revocationPlan, regionRetirementPlan, fleet } = await app.ask(
    `query ($id: ID!) {
      revocationPlan(placementId: $id) { sentences obstacles }
      regionRetirementPlan(key: "far") { obstacles }
      fleet { drift { edges { node { database differences } } } } }`,
    { id: there.id },
  );
  expect(revocationPlan.sentences.at(-1)).toMatch(/^How many rows is not known: /);
  expect(regionRetirementPlan.obstacles).toEqual([
    "1 placement must be moved or revoked before.",
    "Its server cannot be reached now: a worker waits for it. With abandonServer it is left as it is.",
  ]);
  expect(fleet.drift.edges).toEqual([
    { node: { database: here.database, differences: [] } },
    { node: { database: there.database, differences: [expect.stringContaining("cannot be compared")] } },
  ]);
});
