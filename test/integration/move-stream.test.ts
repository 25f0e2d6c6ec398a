/**
 * The stream of a move, between real servers and through the gateway: what is written of a placement arrives in the other database as
 * that one's rows, and nothing else does.
 */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OPERATOR } from "../../src/engine/auth/actor.ts";
import { newRoutedId } from "../../src/base/kernel/ids.ts";
import { findMove } from "../../src/engine/home/moves.ts";
import { rotateLinkPasswords } from "../../src/engine/links/rotate-link-passwords.ts";
import { mark, waitForMark } from "../../src/engine/moves/move-marks.ts";
import {
  disable,
  lagBytes,
  type MoveLink,
  openMoveLink,
  publish,
  recheckGateways,
  remove,
  subscribe,
} from "../../src/engine/moves/move-link.ts";
import { StreamWatch } from "../../src/engine/moves/stream-watch.ts";
import { majorVersionOf, serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { startForwarder } from "../support/forwarder.ts";
import { packageWithAivenExtras } from "../support/aiven-extras.ts";
import { OTHER_VERSION } from "../support/global-setup.ts";
import { createOrganization, eventually, type Granted, grant, registerRegion } from "../support/journey.ts";
import { startServer } from "../support/servers.ts";

type Isolation = "SHARED" | "DEDICATED";

let app: TestApp;

beforeAll(async () => {
  app = await startApp();
  for (const key of ["eu", "us"] as const) await registerRegion(app, key, serverUrl(key));
});
afterAll(() => app.stop());

/** One of the two databases of a move, as its servers' superuser sees it. */
type End = { databaseId: number; sql: (text: string, values?: unknown[]) => Promise<Record<string, unknown>[]> };

type Prepared = AsyncDisposable & {
  organization: string;
  placement: string;
  number: number;
  from: End;
  to: End;
  open: () => Promise<MoveLink>;
  /** Waits until everything that was written in the source so far has arrived. */
  arrives: (link: MoveLink) => Promise<boolean>;
  /** Writes a resource of the organization, or another one, by hand. */
  write: (name: string, changes?: { organization?: string; number?: number; id?: string }) => Promise<string>;
  names: (end: End) => Promise<unknown[]>;
};

async function endOf(server: string, { database }: Granted): Promise<End> {
  return {
    databaseId: Number(/_(\d+)$/.exec(database)?.[1]),
    sql: (text, values) => sql(`${server}/${database}`, text, values),
  };
}

/** A placement in the region `eu` that is to move to a database of `us`, in which another organization is already. */
async function prepare(
  from: Isolation = "DEDICATED",
  to: Isolation = "SHARED",
  { at = app, servers = { eu: serverUrl("eu"), us: serverUrl("us") }, regions = { eu: "eu", us: "us" } } = {},
): Promise<Prepared> {
  const organization = await createOrganization(at, "Moves");
  const placed = await grant(at, organization, regions.eu, from);
  const there = await grant(at, await createOrganization(at, "Neighbour"), regions.us, to);
  const isReady = async () =>
    (
      await sql(at.databaseUrl, "select from tenantry.placements where id = any($1::uuid[]) and state = 'ACTIVE'", [
        [placed.id, there.id],
      ])
    ).length === 2;
  if (!(await eventually(isReady, 60_000))) throw new Error(`${placed.failure ?? ""} ${there.failure ?? ""}`);
  const ends = { from: await endOf(servers.eu, placed), to: await endOf(servers.us, there) };
  const [row] = await sql<{ number: number }>(at.databaseUrl, "select number from tenantry.placements where id = $1", [
    placed.id,
  ]);
  const number = row?.number ?? 0;
  await sql(
    at.databaseUrl,
    `insert into tenantry.moves (placement_id, from_database_id, to_database_id, other_database_id) values ($1, $2, $3, $3)`,
    [placed.id, ends.from.databaseId, ends.to.databaseId],
  );
  const open = async (isSwitched?: boolean) => {
    const move = await findMove(at.services, placed.id);
    if (move === undefined) throw new Error("there is no move");
    return openMoveLink(at.services, { ...move, ...(isSwitched !== undefined && { isSwitched }) });
  };
  return {
    organization,
    placement: placed.id,
    number,
    ...ends,
    open: () => open(),
    arrives: async (link) => waitForMark(link, await mark(link), { timeoutMs: 20_000 }),
    write: async (name, { organization: other = organization, number: leadsTo = number, id } = {}) => {
      const made = id ?? newRoutedId(leadsTo);
      await ends.from.sql("insert into app.resources (id, organization_id, name) values ($1, $2, $3)", [
        made,
        other,
        name,
      ]);
      return made;
    },
    names: async (end) =>
      (await end.sql("select name from app.resources where organization_id = $1 order by name", [organization])).map(
        ({ name }) => name,
      ),
    [Symbol.asyncDispose]: async () => {
      for (const isSwitched of [false, true]) await remove(await open(isSwitched));
      await sql(at.databaseUrl, "delete from tenantry.moves where placement_id = $1", [placed.id]);
    },
  };
}

describe.each([
  ["DEDICATED", "SHARED"],
  ["SHARED", "DEDICATED"],
  ["SHARED", "SHARED"],
] as const)("from %s to %s", (from, to) => {
  test("what is written arrives as the other database's, and nothing of others", async () => {
    await using moving = await prepare(from, to);
    const link = await moving.open();
    expect(await publish(link)).toEqual({ isNew: true });
    expect(await publish(link)).toEqual({ isNew: false });
    const first = await moving.write("Before");
    const gone = await moving.write("Goes");
    await moving.write("Of another", { organization: await createOrganization(app, "Other") });
    await moving.from.sql(
      `insert into app.comments (id, organization_id, resource_id, author_id, body)
       select $1, $2, $3, gen_random_uuid(), (select string_agg(md5(n::text), '') from generate_series(1, 300) n)`,
      [newRoutedId(moving.number), moving.organization, first],
    );
    await subscribe(link);
    await subscribe(link);
    expect(await moving.arrives(link)).toBe(true);
    await moving.from.sql("update app.resources set name = 'After' where id = $1", [first]);
    await moving.from.sql("delete from app.resources where id = $1", [gone]);
    // Its body is not sent again.
    await moving.from.sql(
      "update app.comments set created_at = created_at + interval '1 s' where organization_id = $1",
      [moving.organization],
    );
    await moving.from.sql(
      `insert into tenantry.audit_log (id, database_id, organization_id, who, via, action, subject_kind, subject_id)
       values ($1, $2, $3, 'OPERATOR', 'API', 'test', 'test', $1)`,
      [newRoutedId(moving.number), moving.from.databaseId, moving.organization],
    );
    expect(await moving.arrives(link)).toBe(true);
    expect(await moving.names(moving.to)).toEqual(["After"]);
    const shape = (end: End) =>
      end.sql(
        `select 'resources' as "table", database_id as database, md5(string_agg(r.id || name || updated_at, ',' order by id)) as content
         from app.resources r where organization_id = $1 group by 2
         union all select 'comments', database_id, md5(string_agg(c.id || body || created_at, ',' order by id))
         from app.comments c where organization_id = $1 group by 2
         union all select 'audit', 0, md5(string_agg(a::text, ',' order by id)) from tenantry.audit_log a where organization_id = $1`,
        [moving.organization],
      );
    const there = await shape(moving.to);
    expect(there.map(({ database }) => database)).toEqual([moving.to.databaseId, moving.to.databaseId, 0]);
    expect(there.map(({ content }) => content)).toEqual((await shape(moving.from)).map(({ content }) => content));
    expect(await moving.to.sql("select from app.resources where name = 'Of another'")).toEqual([]);
    expect(await new StreamWatch(link).hasFailed()).toBeUndefined();
    expect(await lagBytes(link)).toBeTypeOf("number");
  });
});

describe("a source that sends what it may not", () => {
  const other = "00000000-0000-7000-8000-0000000000aa";
  const superuser = "set session_replication_role = replica;";

  test.each([
    [
      "a row of another organization",
      (p: Prepared, name: string) =>
        p.from.sql(`alter publication ${name} set table app.resources; insert into app.resources (id, organization_id, name)
          values ('${newRoutedId(p.number)}', '${other}', 'Theirs')`),
      "a row of another organization was sent",
    ],
    [
      "a row whose id leads to another placement",
      (p: Prepared) => p.write("Elsewhere", { number: p.number + 1 }),
      "a row was sent whose id leads to another placement",
    ],
    [
      "a deletion of a row whose id leads to another placement",
      (p: Prepared) => p.from.sql(`delete from app.resources where id = '${elsewhere}'`),
      "a row was sent whose id leads to another placement",
    ],
    [
      "a row of another database",
      (p: Prepared) =>
        p.from.sql(`${superuser} insert into app.resources (id, organization_id, name, database_id)
          values ('${newRoutedId(p.number)}', '${p.organization}', 'Numbered', ${p.to.databaseId})`),
      "a row of another database was sent",
    ],
    [
      "a mark of another placement",
      (p: Prepared, name: string) =>
        p.from.sql(`alter publication ${name} set table tenantry.move_marks;
          insert into tenantry.move_marks values (${p.number + 1}, 1)`),
      "a mark of another placement was sent",
    ],
    [
      "a table that is not the placement's",
      (p: Prepared, name: string) =>
        p.from.sql(`alter publication ${name} set table tenantry.directory_organizations;
          insert into tenantry.directory_organizations values (1, '${other}', 'Theirs', now())`),
      "a row of the table tenantry.directory_organizations was sent, which is not listed",
    ],
    [
      "a column that the target has not",
      (p: Prepared) =>
        p.from.sql(`alter table app.comments add column more text;
          insert into app.comments (id, organization_id, resource_id, author_id, body, more)
          select '${newRoutedId(p.number)}', organization_id, id, id, 'A body', 'more' from app.resources limit 1`),
      "the column comments.more was sent, which is not listed",
    ],
    [
      "TRUNCATE",
      (p: Prepared, name: string) =>
        p.from.sql(`${superuser} alter publication ${name} set (publish = 'insert, update, delete, truncate');
          truncate app.comments`),
      "a TRUNCATE was sent, which no link carries",
    ],
  ])("%s: the stream ends, and the move says why", async (_, act, reason) => {
    await using moving = await prepare();
    elsewhere = newRoutedId(moving.number + 1);
    await moving.write("Was there", { id: elsewhere });
    const link = await moving.open();
    await publish(link);
    await moving.write("Right");
    await subscribe(link);
    const watch = new StreamWatch(link);
    expect(await moving.arrives(link)).toBe(true);
    expect(await watch.hasFailed()).toBeUndefined();
    const before = await moving.to.sql("select * from app.resources order by id");
    await act(moving, link.name);
    const failure = await eventually(() => watch.hasFailed());
    expect(failure).toBe(`The gateway ended the stream: ${reason}.`);
    expect(await moving.to.sql("select * from app.resources order by id")).toEqual(before);
    await app.services.ledger.flush();
    const refused = await sql(
      app.databaseUrl,
      "select direction, sentence from tenantry.border_refusals where database_id = $1",
      [moving.from.databaseId],
    );
    expect(refused).toContainEqual({ direction: "move", sentence: failure });
    // With another slot it can begin anew.
    await remove(link);
    expect(await publish(link)).toEqual({ isNew: true });
    expect(await watch.hasFailed()).toMatch("is gone");
  });
  let elsewhere = "";
});

test("what crosses is in the ledger with both regions", async () => {
  await using moving = await prepare();
  const link = await moving.open();
  await publish(link);
  await subscribe(link);
  await moving.write("Counted");
  expect(await moving.arrives(link)).toBe(true);
  await app.services.ledger.flush();
  const { border } = await app.ask(
    `{ border {
      crossed(first: 50, regionKey: "us") { edges { node { direction regionKey toRegionKey database table rows } } }
      days(regionKey: "us") { direction regionKey toRegionKey }
    } }`,
  );
  const nodes = border.crossed.edges.map(({ node }: { node: object }) => node);
  expect(border.days).toContainEqual({ direction: "move", regionKey: "eu", toRegionKey: "us" });
  expect(nodes).toContainEqual({
    direction: "move",
    regionKey: "eu",
    toRegionKey: "us",
    database: link.publisher.name,
    table: "resources",
    rows: 1,
  });
});

test("a change that the target cannot take in is told, without anything of the row", { timeout: 90_000 }, async () => {
  await using moving = await prepare();
  const link = await moving.open();
  await publish(link);
  await subscribe(link);
  expect(await moving.arrives(link)).toBe(true);
  const watch = new StreamWatch(link);
  expect(await watch.hasFailed()).toBeUndefined();
  await moving.to.sql("alter table app.resources add constraint never check (name <> 'Unwelcome')");
  await moving.write("Unwelcome");
  // The server tries again every 5 seconds.
  expect(await eventually(() => watch.hasFailed(), 60_000)).toBe(
    "The server of the region us cannot take in a change of the stream: its log says why.",
  );
  await moving.to.sql("alter table app.resources drop constraint never");
  expect(await moving.arrives(link)).toBe(true);
  expect(await watch.hasFailed()).toBeUndefined();
});

test("new passwords end the stream, and the subscription is told its next one", async () => {
  await using moving = await prepare();
  const link = await moving.open();
  await publish(link);
  await subscribe(link);
  await moving.write("Before");
  expect(await moving.arrives(link)).toBe(true);
  await rotateLinkPasswords(app.services, OPERATOR, "us");
  const isStreaming = async () =>
    (await moving.from.sql("select from pg_replication_slots where slot_name = $1 and active", [link.name])).length > 0;
  expect(await eventually(async () => !(await isStreaming()))).toBe(true);
  await moving.write("Meanwhile");
  const again = await moving.open();
  expect(again.told.mark).not.toBe(link.told.mark);
  await subscribe(again);
  expect(await moving.arrives(again)).toBe(true);
  expect(await moving.names(moving.to)).toEqual(["Before", "Meanwhile"]);
});

test("after the switch the stream goes the other way, and the one before is refused", async () => {
  await using moving = await prepare("SHARED", "SHARED");
  const there = await moving.open();
  await publish(there);
  await subscribe(there);
  await moving.write("First");
  expect(await moving.arrives(there)).toBe(true);
  await sql(app.databaseUrl, "update tenantry.moves set other_database_id = from_database_id where placement_id = $1", [
    moving.placement,
  ]);
  const back = await moving.open();
  await publish(back);
  await recheckGateways(there);
  const isStreaming = async () =>
    (await moving.from.sql("select from pg_replication_slots where slot_name = $1 and active", [there.name])).length >
    0;
  expect(await eventually(async () => !(await isStreaming()))).toBe(true);
  await moving.write("Too late");
  await remove(there);
  await subscribe(back);
  await moving.to.sql("update app.resources set name = 'Back' where organization_id = $1", [moving.organization]);
  expect(await waitForMark(back, await mark(back), { timeoutMs: 20_000 })).toBe(true);
  expect(await moving.names(moving.to)).toEqual(["Back"]);
  expect(await moving.names(moving.from)).toEqual(["Back", "Too late"]);
  const [row] = await moving.from.sql("select database_id from app.resources where name = 'Back'");
  expect(row).toEqual({ database_id: moving.from.databaseId });
});

test("what is left is said, and taken away when its server is there again", async () => {
  await using forwarder = await startForwarder(serverUrl("eu"));
  const away = await startApp();
  try {
    const eu = new URL(serverUrl("eu"));
    eu.port = String(forwarder.port);
    await registerRegion(away, "away", eu.href.replace(/\/$/, ""));
    await registerRegion(away, "us", serverUrl("us"));
    await using moving = await prepare("DEDICATED", "DEDICATED", {
      at: away,
      servers: { eu: serverUrl("eu"), us: serverUrl("us") },
      regions: { eu: "away", us: "us" },
    });
    const link = await moving.open();
    await publish(link);
    await subscribe(link);
    await disable(link);
    await forwarder.shut();
    expect(await remove(link)).toMatchObject([{ regionKey: "away", kind: "slot", name: link.name }]);
    expect(await moving.to.sql("select from pg_subscription where subname = $1", [link.name])).toEqual([]);
    await forwarder.open();
    expect(await eventually(async () => (await remove(link)).length === 0)).toBe(true);
    expect(await moving.from.sql("select from pg_replication_slots where slot_name = $1", [link.name])).toEqual([]);
    expect(await moving.from.sql("select from pg_publication where pubname = $1", [link.name])).toEqual([]);
    expect(await remove(link)).toEqual([]);
  } finally {
    await away.stop();
  }
});

test("a gateway that ends in the middle of a large transaction loses nothing: the next one goes on", {
  timeout: 90_000,
}, async () => {
  let own = await startApp();
  try {
    for (const key of ["eu", "us"] as const) await registerRegion(own, key, serverUrl(key));
    const { databaseUrl, secretKey, gatewayPort = 0 } = own;
    const count = 20_000;
    const moving = await prepare("DEDICATED", "SHARED", { at: own });
    const link = await moving.open();
    await publish(link);
    await subscribe(link);
    const about = await moving.write("Much is said about it");
    expect(await moving.arrives(link)).toBe(true);
    await moving.from.sql(
      `insert into app.comments (id, organization_id, resource_id, author_id, body)
       select overlay(gen_random_uuid()::text placing substr($1, 15, 13) from 15)::uuid, $2, $1::text::uuid, $2, 'Row ' || n
       from generate_series(1, ${count}) n`,
      [about, moving.organization],
    );
    await own.stop();
    own = await startApp({ databaseUrl, secretKey, gateway: { host: "127.0.0.1", port: gatewayPort } });
    const move = await findMove(own.services, moving.placement);
    if (move === undefined) throw new Error("there is no move");
    const again = await openMoveLink(own.services, move);
    await subscribe(again);
    expect(await waitForMark(again, await mark(again), { timeoutMs: 60_000 })).toBe(true);
    const [row] = await moving.to.sql("select count(*)::int as rows from app.comments where organization_id = $1", [
      moving.organization,
    ]);
    expect(row).toEqual({ rows: count });
    await remove(again);
  } finally {
    await own.stop();
  }
});

// Superusers on both sides are what every other test here has.
const METHODS = {
  PG_CREATE_SUBSCRIPTION: "createdb createrole replication in role pg_create_subscription",
  AIVEN_EXTRAS: "createdb createrole replication",
};
const major = await majorVersionOf(`${serverUrl("us")}/postgres`);

test.each(
  // The role is there from 16 on.
  major >= 16 ? (["PG_CREATE_SUBSCRIPTION", "AIVEN_EXTRAS"] as const) : (["AIVEN_EXTRAS"] as const),
)("where the role that subscribes is no superuser: %s", { timeout: 90_000 }, async (method) => {
  await using server = await startServer({ binariesPackage: await packageWithAivenExtras(OTHER_VERSION) });
  const password = randomBytes(12).toString("hex");
  await sql(server.url("postgres"), `create role operator login password '${password}' ${METHODS[method]}`);
  const url = new URL(server.url());
  url.username = "operator";
  url.password = password;
  const key = method.toLowerCase().replaceAll("_", "-");
  const own = await startApp();
  try {
    await registerRegion(own, "eu", serverUrl("eu"));
    await registerRegion(own, key, url.href.replace(/\/$/, ""));
    await using moving = await prepare("SHARED", "SHARED", {
      at: own,
      servers: { eu: serverUrl("eu"), us: server.url() },
      regions: { eu: "eu", us: key },
    });
    const link = await moving.open();
    await publish(link);
    const id = await moving.write("First");
    await moving.write("Second");
    await subscribe(link);
    expect(await moving.arrives(link)).toBe(true);
    await moving.from.sql("update app.resources set name = 'Changed' where id = $1", [id]);
    await moving.from.sql("delete from app.resources where name = 'Second'");
    expect(await moving.arrives(link)).toBe(true);
    expect(await moving.names(moving.to)).toEqual(["Changed"]);
    await rotateLinkPasswords(own.services, OPERATOR, key);
    const again = await moving.open();
    await subscribe(again);
    await moving.write("Third");
    expect(await moving.arrives(again)).toBe(true);
    expect(await moving.names(moving.to)).toEqual(["Changed", "Third"]);
    expect(await new StreamWatch(again).hasFailed()).toBeUndefined();
  } finally {
    await own.stop();
  }
});
