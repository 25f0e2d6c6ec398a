/** Writes wait while their placement is closed in its database for a moment, and go on where it is then. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseServerUrl } from "../../src/base/postgres/connection-url.ts";
import type { TenantDatabase } from "../../src/base/postgres/database.ts";
import { closeForGood, closeForMoment, drain, reopen } from "../../src/engine/moves/hold.ts";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import {
  addMember,
  comment,
  createOrganization,
  createResource,
  createUser,
  grant,
  registerRegion,
} from "../support/journey.ts";
import { openSession, type OpenSession } from "../support/open-session.ts";

let app: TestApp;
let other: TestApp;
beforeAll(async () => {
  app = await startApp();
  await registerRegion(app, "eu", serverUrl("eu"));
  await registerRegion(app, "us", serverUrl("us"));
  other = await startApp({ databaseUrl: app.databaseUrl, secretKey: app.secretKey, role: "api" });
});
afterAll(async () => {
  await other.stop();
  await app.stop();
});

type Place = { url: string; databaseId: number; database: TenantDatabase };
type Tenant = { organization: string; user: string; resource: string; placement: string; number: number; at: Place };

async function tenant(regionKey: "eu" | "us", isolation: "DEDICATED" | "SHARED" = "SHARED"): Promise<Tenant> {
  const organization = await createOrganization(app);
  const user = await createUser(app);
  await addMember(app, organization, user);
  const granted = await grant(app, organization, regionKey, isolation);
  const resource = await createResource(app, { name: "Held", organizationId: organization });
  const [row] = await sql<{ number: number; databaseId: number }>(
    app.databaseUrl,
    `select number, database_id as "databaseId" from tenantry.placements where id = $1`,
    [granted.id],
  );
  if (row === undefined) throw new Error("there is no placement");
  const server = serverUrl(regionKey);
  const at = {
    url: `${server}/${granted.database}`,
    databaseId: row.databaseId,
    database: app.services.pools.open("tenant", parseServerUrl(server, "url"), granted.database),
  };
  return { organization, user, resource, placement: granted.id, number: row.number, at };
}

const bodiesAt = async ({ url }: Place, { organization }: Tenant) =>
  (
    await sql<{ body: string }>(url, "select body from app.comments where organization_id = $1 order by body", [
      organization,
    ])
  ).map(({ body }) => body);

/** Two processes' writers, each one write after the other, until `work` is done. Returns what was acknowledged. */
async function whileWriting(one: Tenant, work: () => Promise<void>): Promise<string[]> {
  const written: string[] = [];
  let isOver = false;
  const writers = [app, other].flatMap((process, which) =>
    [0, 1, 2].map(async (writer) => {
      for (let count = 0; !isOver; count += 1) {
        const body = `${one.number} by ${which}.${writer}: ${count}`;
        await comment(process, one.resource, one.user, body);
        written.push(body);
      }
    }),
  );
  try {
    await work();
    // Those that were held come through, and some after them.
    const before = written.length;
    await expect.poll(() => written.length, { timeout: 10_000 }).toBeGreaterThan(before + 12);
  } finally {
    isOver = true;
    await Promise.all(writers);
  }
  return written.toSorted();
}

/** What a move's stream does: the rows as they are, with the other database's id. */
async function carry(one: Tenant, from: Place, to: Place): Promise<void> {
  for (const table of ["app.resources", "app.comments"]) {
    const rows = await sql<{ row: object }>(
      from.url,
      `select to_jsonb(r) as row from ${table} r where organization_id = $1`,
      [one.organization],
    );
    await sql(
      to.url,
      `insert into ${table} select (jsonb_populate_record(null::${table}, one || jsonb_build_object('database_id', $2::int))).*
       from jsonb_array_elements($1::jsonb) one`,
      [JSON.stringify(rows.map(({ row }) => row)), to.databaseId],
    );
  }
}

/** What home does at a switch; `heard`: whether it announces it. */
async function switchAtHome(one: Tenant, to: Place, regionKey: string, heard = true): Promise<void> {
  const unheard = heard ? "" : "alter table tenantry.placements disable trigger placement_notify;";
  const again = heard ? "" : "alter table tenantry.placements enable trigger placement_notify;";
  await sql(
    app.databaseUrl,
    `begin; ${unheard}
     update tenantry.placements set database_id = ${to.databaseId}, region_id = (select id from tenantry.regions where key = '${regionKey}')
       where id = '${one.placement}';
     ${again} commit`,
  );
}

test("writers of two processes wait while the database holds them, and nothing is refused, lost or doubled", async () => {
  const one = await tenant("eu");
  const { database } = one.at;
  const written = await whileWriting(one, async () => {
    for (const reads of [1, 10, 40]) {
      await closeForMoment(database, one.number, 3_000);
      await drain(database, one.number, 2_000);
      const before = await bodiesAt(one.at, one);
      for (let read = 0; read < reads; read += 1) expect(await bodiesAt(one.at, one)).toEqual(before);
      await reopen(database, one.number);
      await expect.poll(async () => (await bodiesAt(one.at, one)).length).toBeGreaterThan(before.length);
    }
  });
  expect(await bodiesAt(one.at, one)).toEqual(written);
  const [entries] = await sql(
    one.at.url,
    "select count(*)::int as count from tenantry.audit_log where organization_id = $1 and action = 'createComment'",
    [one.organization],
  );
  expect(entries).toEqual({ count: written.length });
});

test.each([
  ["that have heard of it", true],
  ["that have not heard of it", false],
])("a placement is switched to another database under the writers of two processes %s", async (_, heard) => {
  const one = await tenant("eu");
  const to = (await tenant("us")).at;
  const inUs = async () => bodiesAt(to, one);
  let left: string[] = [];
  await closeForMoment(to.database, one.number, 60_000);
  const written = await whileWriting(one, async () => {
    await expect.poll(async () => (await bodiesAt(one.at, one)).length).toBeGreaterThan(6);
    await closeForMoment(one.at.database, one.number, 3_000);
    await drain(one.at.database, one.number, 2_000);
    await carry(one, one.at, to);
    left = await bodiesAt(one.at, one);
    expect(await closeForGood(one.at.database, one.number)).toBe(true);
    await reopen(to.database, one.number);
    await switchAtHome(one, to, "us", heard);
    await expect.poll(async () => (await inUs()).length).toBeGreaterThan(left.length);
  });
  expect(await inUs()).toEqual(written);
  expect(await bodiesAt(one.at, one)).toEqual(left);
  // What they wrote there is the other database's.
  const ids = await sql(to.url, "select distinct database_id as id from app.comments where organization_id = $1", [
    one.organization,
  ]);
  expect(ids).toEqual([{ id: to.databaseId }]);
});

test("updating and deleting wait too, and reading does not", async () => {
  const one = await tenant("eu");
  const [kept, gone] = [await comment(app, one.resource, one.user), await comment(app, one.resource, one.user)];
  await closeForMoment(one.at.database, one.number, 30_000);
  const done: string[] = [];
  const noting = (what: string, work: Promise<unknown>) => work.then(() => done.push(what));
  const writes = Promise.all([
    noting(
      "update",
      app.ask("mutation ($input: UpdateCommentInput!) { updateComment(input: $input) { id } }", {
        input: { commentId: kept, body: "Changed" },
      }),
    ),
    noting(
      "delete",
      other.ask("mutation ($input: DeleteCommentInput!) { deleteComment(input: $input) }", {
        input: { commentId: gone },
      }),
    ),
    // Answered in code and by one statement.
    noting("create", createResource(other, { name: "Another", organizationId: one.organization })),
    noting("create", comment(app, one.resource, one.user, "New")),
  ]);
  for (const process of [app, other]) {
    const { resource } = await process.ask(
      "query ($id: ID!) { resource(id: $id) { comments(first: 9) { edges { node { body } } } } }",
      {
        id: one.resource,
      },
    );
    expect(resource.comments.edges).toHaveLength(2);
  }
  expect(done).toEqual([]);
  await reopen(one.at.database, one.number);
  await writes;
  expect(await bodiesAt(one.at, one)).toEqual(["Changed", "New"]);
});

test("a hold ends by itself, and can then not be made one that lasts", async () => {
  const one = await tenant("eu");
  const since = await closeForMoment(one.at.database, one.number, 300);
  expect(await closeForMoment(one.at.database, one.number, 300)).toEqual(since);
  await comment(app, one.resource, one.user);
  expect(await closeForGood(one.at.database, one.number)).toBe(false);
  expect((await closeForMoment(one.at.database, one.number, 300)).getTime()).toBeGreaterThan(since.getTime());
  expect(await closeForGood(one.at.database, one.number)).toBe(true);
  await expect(closeForMoment(one.at.database, one.number, 300)).rejects.toMatchObject({ code: "CONFLICT" });
  await reopen(one.at.database, one.number);
  await comment(app, one.resource, one.user);
});

test("a caller is told to try again when a hold outlasts the call, and nothing was written", async () => {
  const one = await tenant("eu");
  const hasty = await startApp({
    databaseUrl: app.databaseUrl,
    secretKey: app.secretKey,
    role: "api",
    api: { limits: { timeoutMs: 700 } },
  });
  try {
    await closeForMoment(one.at.database, one.number, 60_000);
    const refused = await hasty.refuse(
      "mutation ($input: CreateCommentInput!) { createComment(input: $input) { id } }",
      { input: { resourceId: one.resource, authorId: one.user, body: "Late" } },
    );
    expect(refused).toMatchObject({ code: "LIMIT_EXCEEDED" });
    await reopen(one.at.database, one.number);
    expect(await bodiesAt(one.at, one)).toEqual([]);
  } finally {
    await hasty.stop();
  }
});

test("whoever asks for the end of a placement is told of it, and does not wait", async () => {
  const one = await tenant("eu");
  await closeForMoment(one.at.database, one.number, 60_000);
  const waiting = other.refuse("mutation ($input: CreateCommentInput!) { createComment(input: $input) { id } }", {
    input: { resourceId: one.resource, authorId: one.user, body: "Never" },
  });
  await sql(app.databaseUrl, "update tenantry.placements set state = 'REVOKING' where id = $1", [one.placement]);
  expect(await waiting).toMatchObject({
    code: "CONFLICT",
    message: "The organization's access to region eu was revoked.",
  });
});

/** A session as the API has it, in a transaction for an organization. */
async function writing(one: Tenant, begin = "begin"): Promise<OpenSession> {
  const session = await openSession(
    app.services.apiRole.on(parseServerUrl(one.at.url.replace(/\/[^/]*$/, ""), "url"), await systemIdentifierOf(one)),
    one.at.url.split("/").at(-1) ?? "",
  );
  await session.query(`${begin}; set local tenantry.scope = '${one.organization}/${one.number}'`);
  return session;
}

const systemIdentifierOf = async (one: Tenant) =>
  (await sql<{ id: string }>(one.at.url, "select system_identifier::text as id from pg_control_system()"))[0]?.id ?? "";

const INSERT = "insert into app.resources (name) values ('By hand')";

test("what is under way is waited for, and nobody else's transaction", async () => {
  const [one, neighbour] = [await tenant("eu"), await tenant("eu")];
  expect(neighbour.at.databaseId).toBe(one.at.databaseId);
  const [own, another] = [await writing(one), await writing(neighbour)];
  try {
    await own.query(INSERT);
    await another.query(INSERT);
    await closeForMoment(one.at.database, one.number, 30_000);
    await expect(drain(one.at.database, one.number, 200)).rejects.toMatchObject({ code: "LIMIT_EXCEEDED" });
    const drained = drain(one.at.database, one.number, 10_000);
    // It goes on meanwhile, and so do others that come now.
    await comment(app, neighbour.resource, neighbour.user);
    await own.query("commit");
    await drained;
    await another.query("commit");
  } finally {
    await Promise.all([own.end(), another.end()]);
    await reopen(one.at.database, one.number);
  }
});

test.each(["repeatable read", "serializable"])(
  "a transaction of the kind %s that began before cannot write after",
  async (kind) => {
    const one = await tenant("eu");
    const old = await writing(one, `begin isolation level ${kind}`);
    try {
      await old.query("select from app.resources");
      await closeForMoment(one.at.database, one.number, 30_000);
      await drain(one.at.database, one.number, 2_000);
      for (const write of [INSERT, "update app.resources set name = 'Changed'", "delete from app.resources"]) {
        await old.query("savepoint s");
        await expect(old.query(write)).rejects.toMatchObject({ code: "TNCLS" });
        await old.query("rollback to s");
      }
      await old.query("commit");
      await reopen(one.at.database, one.number);
      await old.query(`begin isolation level ${kind}; set local tenantry.scope = '${one.organization}/${one.number}'`);
      await old.query(INSERT);
      await old.query("commit");
    } finally {
      await old.end();
    }
  },
);
