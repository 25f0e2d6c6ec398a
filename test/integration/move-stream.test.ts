/**
 * The stream of a move, between real servers and through the gateway: what is written of a placement arrives in the other database as
 * that one's rows, and nothing else does.
 */
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
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { startForwarder } from "../support/forwarder.ts";
import { createOrganization, eventually, type Granted, grant, registerRegion } from "../support/journey.ts";

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
  if (placed.state !== "ACTIVE" || there.state !== "ACTIVE")
    throw new Error(`${placed.failure ?? ""} ${there.failure ?? ""}`);
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
    const long = "x".repeat(9_000);
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
    expect(long.length).toBe(9_000);
    expect(await new StreamWatch(link).hasFailed()).toBeUndefined();
    expect(await lagBytes(link)).toBeTypeOf("number");
  });
});
