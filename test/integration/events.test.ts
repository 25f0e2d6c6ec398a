/** Subscriptions that go on from a cursor: over a socket that is cut nothing is lost, and nothing comes twice. */
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { newId, newRoutedId, placementNumberOf } from "#base/kernel/ids";
import { fromCursor, since, toCursor } from "#engine/events/position";
import { pruneChanges } from "#engine/events/prune-changes";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { eventCursor, follow, type Follower } from "../support/events.ts";
import {
  addMember,
  comment,
  createOrganization,
  createResource,
  createUser,
  grant,
  registerRegion,
} from "../support/journey.ts";

let app: TestApp;
/** Another process of the same installation, which serves only. */
let other: TestApp;
let organization: string;
let ada: string;

/** Also on a machine that does much else. Without being told, followers look only later than this. */
const soon = <T>(look: () => T) => expect.poll(look, { timeout: 15_000 });

const open: Follower[] = [];
/** Follows until the test ends. */
const followed = (...args: Parameters<typeof follow>) => {
  const follower = follow(...args);
  open.push(follower);
  return follower;
};

beforeAll(async () => {
  app = await startApp();
  await registerRegion(app, "eu", serverUrl("eu"));
  await registerRegion(app, "us", serverUrl("us"));
  organization = await createOrganization(app, "Acme");
  ada = await createUser(app, "Ada");
  await addMember(app, organization, ada);
  await grant(app, organization, "eu");
  await grant(app, organization, "us", "SHARED");
  other = await startApp({ databaseUrl: app.databaseUrl, secretKey: app.secretKey, role: "api" });
});
afterEach(async () => {
  for (const one of open.splice(0)) await one.cut();
});
afterAll(async () => {
  await other?.stop();
  await app?.stop();
});

const COMMENTS = "subscription ($id: ID!, $after: String) { commentAdded(resourceId: $id, after: $after) { id body } }";
const RESOURCES = `subscription ($id: ID, $after: String) { resourceChanged(organizationId: $id, after: $after) {
  cursor kind resourceId resource { id name region { key } } } }`;
const MEMBERS = `subscription ($id: ID!, $after: String) { membershipChanged(organizationId: $id, after: $after) {
  cursor kind membershipId membership { id role user { id } } } }`;
const UPDATE = "mutation ($input: UpdateResourceInput!) { updateResource(input: $input) { id } }";
const DELETE = "mutation ($input: DeleteResourceInput!) { deleteResource(input: $input) }";
const REMOVE = "mutation ($input: RemoveOrganizationMemberInput!) { removeOrganizationMember(input: $input) { id } }";

type Subject = {
  query: string;
  id: () => Promise<string | null>;
  /** Makes something happen, and says what is heard of it. */
  happen: (id: string | null) => Promise<string>;
  heard: (data: any) => string;
};

const commentsIn = (regionKey: string | undefined): Subject => ({
  query: COMMENTS,
  id: () =>
    createResource(
      app,
      regionKey === undefined ? { name: "Here" } : { name: "There", organizationId: organization, regionKey },
    ),
  happen: (id) => comment(app, id ?? "", ada, "Said"),
  heard: ({ commentAdded }) => commentAdded.id,
});
const resourcesOf = (owned: boolean): Subject => ({
  query: RESOURCES,
  id: () => Promise.resolve(owned ? organization : null),
  happen: (id) =>
    createResource(
      app,
      id === null ? { name: "At home" } : { name: "In a region", organizationId: id, regionKey: "us" },
    ),
  heard: ({ resourceChanged }) => resourceChanged.resourceId,
});

const SUBJECTS: Record<string, Subject> = {
  "comments in a database of one organization": commentsIn("eu"),
  "comments in a shared database": commentsIn("us"),
  "comments at home": commentsIn(undefined),
  "an organization's resources": resourcesOf(true),
  "the default organization's resources": resourcesOf(false),
  "an organization's members": {
    query: MEMBERS,
    id: () => Promise.resolve(organization),
    happen: async (id) => {
      const user = await createUser(app, "New");
      await addMember(app, id ?? "", user);
      return `${id}:${user}`;
    },
    heard: ({ membershipChanged }) => membershipChanged.membershipId,
  },
};

describe.each(Object.entries(SUBJECTS))("%s", (_, { query, id: makeId, happen, heard }) => {
  test("come once each, in order, over a socket that is cut, from another process", async () => {
    const id = await makeId();
    const before = follow(other, query, { id, after: await eventCursor(app) });
    const first = await happen(id);
    const idsOf = ({ messages }: Follower) => messages.map(({ data }) => heard(data));
    await soon(() => idsOf(before)).toContain(first);
    await before.cut();
    const missed: string[] = [];
    for (let count = 0; count < 3; count += 1) missed.push(await happen(id));
    const again = followed(other, query, { id, after: before.cursor() });
    await soon(() => idsOf(again)).toEqual(missed);
    const later = await happen(id);
    await soon(() => idsOf(again)).toEqual([...missed, later]);
    // From the middle of what came together.
    const middle = followed(app, query, { id, after: again.messages[1]?.extensions?.cursor });
    await soon(() => idsOf(middle)).toEqual([missed[2], later]);
  });
});

test("a change and a deletion are events too, and say what is gone", async () => {
  const id = await createResource(app, { name: "Old", organizationId: organization, regionKey: "eu" });
  const follower = followed(other, RESOURCES, { id: organization, after: await eventCursor(app) });
  const ofIt = () =>
    follower.messages.map(({ data }) => data.resourceChanged).filter(({ resourceId }) => resourceId === id);
  await soon(() => ofIt().length).toBe(1);
  await app.ask(UPDATE, { input: { resourceId: id, name: "New" } });
  await soon(() => ofIt().at(-1)).toMatchObject({
    kind: "UPDATED",
    resource: { id, name: "New", region: { key: "eu" } },
  });
  await app.ask(DELETE, { input: { resourceId: id } });
  await soon(() => ofIt().at(-1)).toMatchObject({ kind: "DELETED", resourceId: id, resource: null });
  expect(ofIt().map(({ kind }) => kind)).toEqual(["CREATED", "UPDATED", "DELETED"]);
  for (const { data, extensions } of follower.messages) expect(extensions?.cursor).toBe(data.resourceChanged.cursor);
});

test("a member who gets another role or goes is an event", async () => {
  const eve = await createUser(app, "Eve");
  const follower = followed(app, MEMBERS, { id: organization, after: await eventCursor(app) });
  await addMember(app, organization, eve);
  await addMember(app, organization, eve);
  await addMember(app, organization, eve, "ADMIN");
  await app.ask(REMOVE, { input: { organizationId: organization, userId: eve } });
  const ofHer = () =>
    follower.messages
      .map(({ data }) => data.membershipChanged)
      .filter(({ membershipId }) => membershipId === `${organization}:${eve}`);
  await soon(() => ofHer().map(({ kind }) => kind)).toEqual(["CREATED", "UPDATED", "DELETED"]);
  expect(ofHer().at(-1)).toMatchObject({ membership: null });
});

/** A transaction that stays open, on home or in a tenant database. */
async function begun(url: string, statements: string[]): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query("begin");
  for (const statement of statements) await client.query(statement);
  return client;
}

async function commit(client: pg.Client): Promise<void> {
  await client.query("commit");
  await client.end();
}

describe("a transaction that began before others and commits after them", () => {
  test("is heard of at home, by somebody who was there and by somebody who comes back", async () => {
    const [late, early] = [await createUser(app, "Late"), await createUser(app, "Early")];
    const follower = followed(app, MEMBERS, { id: organization, after: await eventCursor(app) });
    const usersIn = ({ messages }: Follower) =>
      messages.map(({ data }) => data.membershipChanged.membershipId.split(":")[1]);
    const client = await begun(app.databaseUrl, [
      `insert into tenantry.memberships (organization_id, user_id, role) values ('${organization}', '${late}', 'MEMBER')`,
    ]);
    await sql(
      app.databaseUrl,
      "insert into tenantry.memberships (organization_id, user_id, role) values ($1, $2, 'MEMBER')",
      [organization, early],
    );
    await soon(() => usersIn(follower)).toContain(early);
    const cursor = follower.cursor();
    await commit(client);
    await soon(() => usersIn(follower)).toContain(late);
    expect(usersIn(follower).slice(-2)).toEqual([early, late]);
    // It was open when the cursor was given.
    const back = followed(other, MEMBERS, { id: organization, after: cursor });
    await soon(() => usersIn(back)).toEqual([late]);
  });

  test("is heard of in a region, also where its id is smaller than those that were told", async () => {
    const id = await createResource(app, { name: "Busy", organizationId: organization, regionKey: "eu" });
    const { comments, url } = await lateComment(id);
    const follower = followed(other, COMMENTS, { id, after: await eventCursor(app) });
    const idsIn = ({ messages }: Follower) => messages.map(({ data }) => data.commentAdded.id);
    const client = await begun(url, comments.statements);
    const early = await comment(app, id, ada, "Early");
    expect(comments.id < early).toBe(true);
    await soon(() => idsIn(follower)).toEqual([early]);
    const cursor = follower.cursor();
    await commit(client);
    const next = await comment(app, id, ada, "Next");
    await soon(() => idsIn(follower)).toEqual([early, comments.id, next]);
    const back = followed(app, COMMENTS, { id, after: cursor });
    await soon(() => idsIn(back)).toEqual([comments.id, next]);
  });
});

/** What the API sends for a comment on the resource, and to which database. */
async function lateComment(resourceId: string) {
  const [row] = await sql<{ databaseId: number; name: string }>(
    app.databaseUrl,
    `select d.id as "databaseId", d.name from tenantry.placements p join tenantry.tenant_databases d on d.id = p.database_id
     where p.number = tenantry.placement_number_of($1)`,
    [resourceId],
  );
  if (row === undefined) throw new Error("the resource has no placement");
  const id = newRoutedId(placementNumberOf(resourceId));
  const columns = "(id, database_id, organization_id, resource_id, author_id, body)";
  const statements = [
    `insert into app.comments ${columns} values ('${id}', ${row.databaseId}, '${organization}', '${resourceId}', '${ada}', 'Late')`,
    `insert into tenantry.audit_log (id, database_id, organization_id, who, via, action, subject_kind, subject_id)
     values ('${newId()}', ${row.databaseId}, '${organization}', 'OPERATOR', 'DEVELOPMENT', 'createComment', 'COMMENT', '${id}')`,
  ];
  return { url: `${serverUrl("eu")}/${row.name}`, comments: { id, statements } };
}

describe("beyond the bound", () => {
  const entry = `insert into tenantry.audit_log (id, database_id, organization_id, who, via, action, subject_kind, subject_id)
    select gen_random_uuid(), (select database_id from tenantry.identity), '{}', 'OPERATOR', 'DEVELOPMENT', 'updateComment', 'COMMENT', gen_random_uuid() from generate_series(1, 10001)`;
  const change = `insert into tenantry.changes (organization_id, table_name, subject_id, kind)
    select '{}', 'tenantry.memberships', gen_random_uuid(), 'UPDATED' from generate_series(1, 10001)`;

  test("of number, the list is to be read anew: in a region", async () => {
    const busy = await createOrganization(app, "Busy");
    await addMember(app, busy, ada);
    await grant(app, busy, "us", "SHARED");
    const id = await createResource(app, { name: "Busy", organizationId: busy, regionKey: "us" });
    const live = followed(app, COMMENTS, { id, after: await eventCursor(app) });
    await comment(app, id, ada);
    await soon(live.cursor).toBeDefined();
    const { name } = await databaseOf(id);
    await sql(`${serverUrl("us")}/${name}`, entry.replace("{}", busy));
    const back = followed(other, COMMENTS, { id, after: live.cursor() });
    await soon(back.code).toBe("EVENTS_GONE");
    expect(back.messages).toEqual([]);
    // Others' events are no part of it.
    const quiet = await createResource(app, { name: "Quiet", organizationId: organization, regionKey: "us" });
    const follower = followed(other, COMMENTS, { id: quiet, after: await eventCursor(app) });
    const said = await comment(app, quiet, ada);
    await soon(() => follower.messages.map(({ data }) => data.commentAdded.id)).toEqual([said]);
  });

  test("of number, the list is to be read anew: at home", async () => {
    const busy = await createOrganization(app, "Busy at home");
    await addMember(app, busy, ada);
    const first = followed(app, MEMBERS, { id: busy, after: await eventCursor(app) });
    await soon(first.cursor).toBeDefined();
    await sql(app.databaseUrl, change.replace("{}", busy));
    const back = followed(other, MEMBERS, { id: busy, after: first.cursor() });
    await soon(back.code).toBe("EVENTS_GONE");
  });

  test.each(["a moment", "a snapshot"])("of time, the list is to be read anew: by a cursor of %s", async (kind) => {
    const { secrets } = app.services;
    const id = await createResource(app, { name: "Old", organizationId: organization, regionKey: "eu" });
    const live = followed(app, COMMENTS, { id, after: await eventCursor(app) });
    await comment(app, id, ada);
    await soon(live.cursor).toBeDefined();
    const about = `commentAdded ${id}`;
    const position = fromCursor(secrets, live.cursor() ?? "", about);
    const old = Date.now() - 61 * 60_000;
    const after = toCursor(secrets, kind === "a moment" ? since(old) : { ...position, at: old }, about);
    const back = followed(other, COMMENTS, { id, after });
    await soon(back.code).toBe("EVENTS_GONE");
  });

  test("of a server's history, the list is to be read anew", async () => {
    const { secrets } = app.services;
    const live = followed(app, MEMBERS, { id: organization, after: await eventCursor(app) });
    await addMember(app, organization, await createUser(app, "One"));
    await soon(live.cursor).toBeDefined();
    const about = `membershipChanged ${organization}`;
    const { seen, ...position } = fromCursor(secrets, live.cursor() ?? "", about);
    const restored = { ...position, seen: { history: "1/00000002", snapshot: seen?.snapshot ?? "1:1:" } };
    const back = followed(other, MEMBERS, { id: organization, after: toCursor(secrets, restored, about) });
    await soon(back.code).toBe("EVENTS_GONE");
  });

  test("more than what is read at once comes whole, and can be cut anywhere", async () => {
    const many = await createOrganization(app, "Many");
    const after = await eventCursor(app);
    await sql(app.databaseUrl, change.replace("{}", many).replace("10001", "450"));
    const idsIn = ({ messages }: Follower) => messages.map(({ data }) => data.membershipChanged.membershipId);
    const whole = followed(other, MEMBERS, { id: many, after });
    await soon(() => idsIn(whole).length).toBe(450);
    expect(new Set(idsIn(whole)).size).toBe(450);
    for (const at of [198, 199, 200, 449]) {
      const rest = followed(app, MEMBERS, { id: many, after: whole.messages[at]?.extensions?.cursor });
      const last = await createUser(app, "Last");
      await addMember(app, many, last);
      await soon(() => idsIn(rest).at(-1)).toBe(`${many}:${last}`);
      expect(idsIn(rest).slice(0, 449 - at)).toEqual(idsIn(whole).slice(at + 1, 450));
      await soon(() => idsIn(whole).at(-1)).toBe(`${many}:${last}`);
      expect(new Set(idsIn(rest)).size).toBe(idsIn(rest).length);
    }
  });

  test("lines about changes that nobody is told of any more are taken away, and no others", async () => {
    const ids = () => sql<{ id: string }>(app.databaseUrl, "select id from tenantry.changes order by id");
    const before = await ids();
    expect(before.length).toBeGreaterThan(3);
    await sql(app.databaseUrl, "update tenantry.changes set at = now() - interval '121 minutes' where id <= $1", [
      before[2]?.id,
    ]);
    expect(await pruneChanges(app.services.home)).toBe(3);
    expect(await ids()).toEqual(before.slice(3));
  });
});

async function databaseOf(id: string): Promise<{ name: string }> {
  const [row] = await sql<{ name: string }>(
    app.databaseUrl,
    `select d.name from tenantry.placements p join tenantry.tenant_databases d on d.id = p.database_id
     where p.number = tenantry.placement_number_of($1)`,
    [id],
  );
  if (row === undefined) throw new Error("there is no placement");
  return row;
}

describe("somebody who may not", () => {
  const leave = (userId: string) => app.ask(REMOVE, { input: { organizationId: organization, userId } });
  const SUBSCRIPTIONS = [
    ["commentAdded", COMMENTS],
    ["resourceChanged", RESOURCES],
    ["membershipChanged", MEMBERS],
  ] as const;
  let resource: string;
  beforeAll(async () => {
    resource = await createResource(app, { name: "Followed", organizationId: organization, regionKey: "eu" });
  });
  const about = (name: string) => (name === "commentAdded" ? resource : organization);
  /** Something of every kind. */
  const happen = async () => {
    await comment(app, resource, ada);
    await createResource(app, { name: "Secret", organizationId: organization, regionKey: "us" });
    await addMember(app, organization, await createUser(app, "Somebody"));
  };

  test.each(SUBSCRIPTIONS)("hears nothing: a stranger, by %s", async (name, query) => {
    const stranger = await createUser(app, "Stranger");
    const after = await eventCursor(app);
    await happen();
    const follower = followed(other, query, { id: about(name), after }, { "x-user-id": stranger });
    await soon(follower.code).toBe("NOT_FOUND");
    expect(follower.messages).toEqual([]);
  });

  test.each(SUBSCRIPTIONS)("hears nothing more: who is taken out while following, by %s", async (name, query) => {
    const member = await createUser(app, "Member");
    await addMember(app, organization, member);
    const follower = followed(
      other,
      query,
      { id: about(name), after: await eventCursor(app) },
      { "x-user-id": member },
    );
    await happen();
    await soon(() => follower.messages.length).toBeGreaterThan(0);
    await leave(member);
    const [secret, note] = [
      await createResource(app, { name: "Secret", organizationId: organization, regionKey: "us" }),
      await comment(app, resource, ada),
    ];
    const newcomer = await createUser(app, "Newcomer");
    await addMember(app, organization, newcomer);
    await soon(follower.code).toBe("NOT_FOUND");
    const told = JSON.stringify(follower.messages.map(({ data }) => data));
    for (const id of [secret, note, newcomer]) expect(told).not.toContain(id);
    expect(told).not.toContain(`${organization}:${member}","membership":null`);
  });

  test.each(SUBSCRIPTIONS)("hears nothing: who was taken out between two connections, by %s", async (name, query) => {
    const member = await createUser(app, "Member");
    await addMember(app, organization, member);
    const first = follow(other, query, { id: about(name), after: await eventCursor(app) }, { "x-user-id": member });
    await happen();
    await soon(first.cursor).toBeDefined();
    await first.cut();
    await leave(member);
    await happen();
    const back = followed(other, query, { id: about(name), after: first.cursor() }, { "x-user-id": member });
    await soon(back.code).toBe("NOT_FOUND");
    expect(back.messages).toEqual([]);
  });

  test("hears nothing of another organization, not even of the same database and with its cursor", async () => {
    const rival = await createOrganization(app, "Rival");
    const [spy, insider] = [await createUser(app, "Spy"), await createUser(app, "Insider")];
    await addMember(app, rival, spy);
    await addMember(app, organization, insider);
    await grant(app, rival, "us", "SHARED");
    const theirs = await createResource(app, { name: "Theirs", organizationId: rival, regionKey: "us" });
    const inside = followed(
      app,
      RESOURCES,
      { id: organization, after: await eventCursor(app) },
      { "x-user-id": insider },
    );
    await happen();
    await soon(inside.cursor).toBeDefined();
    const after = inside.cursor();
    const by = { "x-user-id": spy };
    const stolen = followed(other, RESOURCES, { id: rival, after }, by);
    await soon(stolen.code).toBe("INVALID_INPUT");
    const start = await eventCursor(app);
    const [own, notes] = [
      followed(other, RESOURCES, { id: rival, after: start }, by),
      followed(other, COMMENTS, { id: theirs, after: start }, by),
    ];
    await happen();
    await comment(app, theirs, spy, "Ours");
    await createResource(app, { name: "Last", organizationId: rival, regionKey: "us" });
    await soon(() => own.messages.at(-1)?.data.resourceChanged.resource.name).toBe("Last");
    await soon(() => notes.messages.map(({ data }) => data.commentAdded.body)).toEqual(["Ours"]);
    expect(own.messages.map(({ data }) => data.resourceChanged.resource.name)).toEqual(["Theirs", "Last"]);
  });

  test("hears nothing more of a region to which the organization has no access any more", async () => {
    const leaving = await createOrganization(app, "Leaving");
    await addMember(app, leaving, ada);
    const { id: placementId } = await grant(app, leaving, "us", "SHARED");
    const followedId = await createResource(app, { name: "Left", organizationId: leaving, regionKey: "us" });
    const headers = { "x-user-id": ada };
    const first = follow(other, COMMENTS, { id: followedId, after: await eventCursor(app) }, headers);
    await comment(app, followedId, ada);
    await soon(first.cursor).toBeDefined();
    await first.cut();
    await app.ask("mutation ($input: RevokeRegionAccessInput!) { revokeRegionAccess(input: $input) { state } }", {
      input: { placementId, confirm: "Leaving", skipGrace: true },
    });
    const back = followed(other, COMMENTS, { id: followedId, after: first.cursor() }, headers);
    await soon(back.code).toMatch(/^(CONFLICT|NOT_FOUND)$/);
    // What is gone from the catalog with the region is told as that, to who may still see the organization.
    const changes = followed(other, RESOURCES, { id: leaving, after: await eventCursor(app) }, headers);
    await soon(() => changes.messages.map(({ data }) => data.resourceChanged)).toMatchObject([
      { kind: "CREATED", resource: null },
      { kind: "DELETED", resourceId: followedId, resource: null },
    ]);
  });

  test.each(["", "nonsense", "AgAAAAAAAAAA", "%00"])("goes on with a cursor of their own: %j", async (after) => {
    const follower = followed(other, MEMBERS, { id: organization, after });
    await soon(follower.code).toBe("INVALID_INPUT");
  });
});

test("what is written while nobody listens, as the connections that do were cut, is heard of at once", async () => {
  const id = await createResource(app, { name: "Cut", organizationId: organization, regionKey: "eu" });
  const after = await eventCursor(app);
  const notes = followed(other, COMMENTS, { id, after });
  const members = followed(other, MEMBERS, { id: organization, after });
  const first = await comment(app, id, ada);
  await soon(() => notes.messages.map(({ data }) => data.commentAdded.id)).toEqual([first]);
  const { name } = await databaseOf(id);
  const urls = [`${serverUrl("eu")}/${name}`, app.databaseUrl];
  for (const url of urls)
    await sql(
      url,
      `select pg_terminate_backend(pid, 5000) from pg_stat_activity
       where datname = current_database() and query like '/* tenantry: listen%'`,
    );
  const second = await comment(app, id, ada);
  const newcomer = await createUser(app, "Newcomer");
  await addMember(app, organization, newcomer);
  await soon(() => notes.messages.map(({ data }) => data.commentAdded.id)).toEqual([first, second]);
  await soon(() => members.messages.map(({ data }) => data.membershipChanged.membershipId)).toContain(
    `${organization}:${newcomer}`,
  );
});

test("what came after a snapshot is found by an index, however long the log is", async () => {
  const id = await createResource(app, { name: "Planned", organizationId: organization, regionKey: "us" });
  const { name } = await databaseOf(id);
  const conditions = `xact >= pg_snapshot_xmin(pg_current_snapshot()) and not pg_visible_in_snapshot(xact, pg_current_snapshot())`;
  const values = `'OPERATOR', 'DEVELOPMENT', 'updateComment', 'COMMENT', gen_random_uuid()`;
  const region = await begun(`${serverUrl("us")}/${name}`, [
    `insert into tenantry.audit_log (id, database_id, organization_id, who, via, action, subject_kind, subject_id, xact)
     select gen_random_uuid(), 1, '${organization}', ${values}, '3' from generate_series(1, 5000)`,
    "analyze tenantry.audit_log",
    `set local role ${app.services.apiRole.name}`,
    `select set_config('tenantry.scope', '${organization}/1', true)`,
  ]);
  const home = await begun(app.databaseUrl, [
    `insert into tenantry.audit_log (id, who, via, action, subject_kind, subject_id, outcome, xact)
     select gen_random_uuid(), ${values}, 'OK', '3' from generate_series(1, 5000)`,
    `insert into tenantry.changes (organization_id, table_name, subject_id, kind, xact)
     select '${organization}', 'app.resources', gen_random_uuid(), 'UPDATED', '3' from generate_series(1, 5000)`,
    "analyze tenantry.audit_log",
    "analyze tenantry.changes",
  ]);
  const planOf = async (client: pg.Client, text: string) =>
    (await client.query<Record<string, string>>(`explain ${text}`)).rows.map((row) => row["QUERY PLAN"]).join("\n");
  const inRegion = `select from tenantry.audit_log where organization_id = '${organization}' and ${conditions}`;
  expect(await planOf(region, inRegion)).toMatch(/Index Cond: .*xact >= pg_snapshot_xmin/);
  const atHome = `select from tenantry.audit_log where organization_id is null and outcome = 'OK' and ${conditions}`;
  expect(await planOf(home, atHome)).toMatch(/Index Cond: .*xact >= pg_snapshot_xmin/);
  const changes = `select from tenantry.changes where organization_id = '${organization}' and ${conditions}`;
  expect(await planOf(home, changes)).toMatch(/Index Cond: .*xact >= pg_snapshot_xmin/);
  for (const client of [region, home]) await client.end();
});

test("somebody who stops following does not keep others of the same database from hearing", async () => {
  const id = await createResource(app, { name: "Shared ears", organizationId: organization, regionKey: "eu" });
  const after = await eventCursor(app);
  const idsIn = ({ messages }: Follower) => messages.map(({ data }) => data.commentAdded.id);
  const leaving = [follow(other, COMMENTS, { id, after }), follow(other, COMMENTS, { id, after })];
  const staying = followed(other, COMMENTS, { id, after });
  const first = await comment(app, id, ada);
  for (const one of [...leaving, staying]) await soon(() => idsIn(one)).toEqual([first]);
  for (const one of leaving) await one.cut();
  const listening = `select from pg_stat_activity where datname = current_database() and query like '/* tenantry: listen%'`;
  const { name } = await databaseOf(id);
  for (let count = 0; count < 3; count += 1) {
    const next = await comment(app, id, ada);
    await soon(() => idsIn(staying)).toContain(next);
  }
  expect(await sql(`${serverUrl("eu")}/${name}`, listening)).toHaveLength(1);
});
