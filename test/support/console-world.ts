/**
 * What the console's pages are looked at with, made for real: three regions, two hundred placements, members, rows that
 * crossed, jobs that fail, a link that lags, an attempt that was refused, a table that somebody changed by hand.
 */
import pg from "pg";

/** What is needed of a program: operations, and where its gateway is. */
export type WorldApp = {
  ask: <Data = any>(query: string, variables?: object) => Promise<Data>;
  gatewayPort: number | undefined;
};

export type WorldServers = {
  eu: string;
  us: string;
  /** A server that `away` stops: what waits for it lags and fails. */
  ap: string;
  away: () => Promise<void>;
};

export type World = {
  /** An organization with a placement in each region, with members of each role. */
  acme: { id: string; name: string; placements: Record<"eu" | "us" | "ap", string>; people: Record<string, string> };
  /** A placement that could not be made. */
  failed: { id: string; organizationId: string };
};

const SITES = {
  eu: ["Frankfurt", 50.11, 8.68],
  us: ["Virginia", 39.04, -77.49],
  ap: ["Singapore", 1.35, 103.82],
} as const;

/** How many placements there are in the regions that stay. */
const SHARED_PLACEMENTS = 196;
const AT_ONCE = 4;

export async function makeWorld(app: WorldApp, servers: WorldServers): Promise<World> {
  for (const key of ["eu", "us", "ap"] as const) await register(app, key, servers[key]);
  const acme = await makeAcme(app);
  await makeShared(app);
  await write(app, acme);
  const failed = await makeFailed(app, servers.us);
  await drift(app, servers.eu, acme.placements.eu);
  await servers.away();
  // Of what comes now nothing reaches that region.
  const late = await createUser(app, "Late Comer");
  await addMember(app, acme.id, late, "MEMBER");
  for (const name of ["Kirin", "Nagoya Trading"])
    await grant(app, await createOrganization(app, name), "ap", "DEDICATED");
  await knock(app);
  return { acme, failed };
}

async function register(app: WorldApp, key: keyof typeof SITES, connectionUrl: string): Promise<void> {
  const [name, latitude, longitude] = SITES[key];
  await app.ask("mutation ($input: RegisterRegionInput!) { registerRegion(input: $input) { key } }", {
    input: { key, name, connectionUrl, coordinates: { latitude, longitude } },
  });
}

async function makeAcme(app: WorldApp): Promise<World["acme"]> {
  const name = "Acme Instruments";
  const id = await createOrganization(app, name);
  const people: Record<string, string> = {};
  for (const [person, role] of [
    ["Ada Lovelace", "OWNER"],
    ["Grace Hopper", "ADMIN"],
    ["Alan Turing", "MEMBER"],
    ["Barbara Liskov", "VIEWER"],
  ] as const) {
    people[role] = await createUser(app, person);
    await addMember(app, id, people[role], role);
  }
  const placements = { eu: "", us: "", ap: "" };
  for (const key of ["eu", "us", "ap"] as const) placements[key] = (await grant(app, id, key, "DEDICATED")).id;
  return { id, name, placements, people };
}

async function makeShared(app: WorldApp): Promise<void> {
  const numbers = Array.from({ length: SHARED_PLACEMENTS / 2 }, (_, index) => index + 1);
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let number = numbers.shift(); number !== undefined; number = numbers.shift()) {
        const id = await createOrganization(app, `Customer ${String(number).padStart(3, "0")}`);
        await grant(app, id, "eu", "SHARED");
        await grant(app, id, "us", "SHARED");
      }
    }),
  );
}

async function write(app: WorldApp, { id, people }: World["acme"]): Promise<void> {
  for (let number = 1; number <= 12; number += 1) {
    const { createResource } = await app.ask(
      "mutation ($input: CreateResourceInput!) { createResource(input: $input) { id } }",
      { input: { name: `Project ${number}`, organizationId: id, regionKey: number % 3 === 0 ? "us" : "eu" } },
    );
    await app.ask("mutation ($input: CreateCommentInput!) { createComment(input: $input) { id } }", {
      input: { resourceId: createResource.id, authorId: people["MEMBER"], body: `Note ${number}` },
    });
  }
}

/** A grant whose database's name is taken by somebody else: a person has to change something first. */
async function makeFailed(app: WorldApp, serverUrl: string): Promise<World["failed"]> {
  const before = await grant(app, await createOrganization(app, "Northwind"), "us", "DEDICATED");
  const next = before.database.replace(/\d+$/, (number) => String(Number(number) + 1));
  await run(`${serverUrl}/postgres`, `create database "${next}"`);
  const organizationId = await createOrganization(app, "Southwind");
  const { id } = await grant(app, organizationId, "us", "DEDICATED");
  return { id, organizationId };
}

/** Somebody adds a column by hand. */
async function drift(app: WorldApp, serverUrl: string, placementId: string): Promise<void> {
  const { placement } = await app.ask("query ($id: ID!) { placement(id: $id) { database } }", { id: placementId });
  await run(`${serverUrl}/${placement.database}`, "alter table app.resources add column colour text");
}

/** Somebody tries a name at the gateway that it does not know. */
async function knock({ gatewayPort: port }: WorldApp): Promise<void> {
  if (port === undefined) return;
  const client = new pg.Client({ host: "127.0.0.1", port, user: "tenantry_nobody", database: "home", password: "x" });
  client.on("error", () => undefined);
  await client.connect().catch(() => undefined);
  await client.end().catch(() => undefined);
}

async function createOrganization(app: WorldApp, name: string): Promise<string> {
  const query = "mutation ($name: String!) { createOrganization(input: { name: $name }) { id } }";
  return (await app.ask(query, { name })).createOrganization.id;
}

async function createUser(app: WorldApp, name: string): Promise<string> {
  const email = `${name.toLowerCase().replaceAll(" ", ".")}@example.com`;
  const query = "mutation ($input: CreateUserInput!) { createUser(input: $input) { id } }";
  return (await app.ask(query, { input: { name, email } })).createUser.id;
}

async function addMember(app: WorldApp, organizationId: string, userId: string, role: string): Promise<void> {
  await app.ask("mutation ($input: AddOrganizationMemberInput!) { addOrganizationMember(input: $input) { role } }", {
    input: { organizationId, userId, role },
  });
}

async function grant(
  app: WorldApp,
  organizationId: string,
  regionKey: string,
  isolation: "DEDICATED" | "SHARED",
): Promise<{ id: string; database: string }> {
  const query = "mutation ($input: GrantRegionAccessInput!) { grantRegionAccess(input: $input) { id database } }";
  return (await app.ask(query, { input: { organizationId, regionKey, isolation } })).grantRegionAccess;
}

async function run(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}
