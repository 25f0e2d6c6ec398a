/** What home makes of a move: what both databases send, the switch, and whoever counts databases. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import pg from "pg";
import { newId, newRoutedId } from "../../src/base/kernel/ids.ts";
import { OPERATOR } from "../../src/engine/auth/actor.ts";
import { beginMove, cancelMove, type MoveRequest } from "../../src/engine/home/begin-move.ts";
import { endMove } from "../../src/engine/home/end-move.ts";
import { forgetInbox } from "../../src/engine/home/forget-placement.ts";
import { findMove, noteProgress } from "../../src/engine/home/moves.ts";
import { listReplicatedDatabases, findLinkedDatabase } from "../../src/engine/home/replicated-databases.ts";
import { closeWithLast } from "../../src/engine/home/shared-databases.ts";
import { switchBack, switchPlacement } from "../support/switches.ts";
import { settleCatalog } from "../../src/engine/home/switch-placement.ts";
import { listTenantDatabases } from "../../src/engine/home/tenant-databases.ts";
import { planFleetMigration } from "../../src/engine/fleet/migrate-databases.ts";
import { deleteOrganization } from "../../src/engine/placements/delete-organization.ts";
import { grantRegionAccess } from "../../src/engine/placements/grant-region-access.ts";
import { resumeRegionAccess, revokeRegionAccess } from "../../src/engine/placements/revoke-region-access.ts";
import { retireRegion } from "../../src/engine/placements/retire-region.ts";
import { requestErasure } from "../../src/engine/erasure/erasure-record.ts";
import { namePrefix } from "../../src/engine/replication/names.ts";
import { sql } from "../support/app.ts";
import { type Placed, readCatalog } from "../support/guarded-home.ts";
import {
  begin,
  catalogRows,
  createMovingHome,
  type MovingHome,
  placementIdOf,
  sendAs,
  sent,
} from "../support/moving-home.ts";

let home: MovingHome;
const signal = new AbortController().signal;

beforeEach(async () => {
  home = await createMovingHome();
});
afterEach(() => home.app.stop());

const send = (databaseId: number, ...statements: string[]) => sendAs(home.url, databaseId, ...statements);
const changes = () => sql(home.url, "select organization_id, subject_id, kind from tenantry.changes order by id");
const inbox = (databaseId: number) =>
  sql(
    home.url,
    "select id, organization_id, name, fault from tenantry_inbox.resources where database_id = $1 order by name",
    [databaseId],
  );

/** A move of the first placement, whose database has sent a row of each name. */
async function moving(names: readonly string[], given: Partial<MoveRequest> = {}) {
  const { first } = home;
  const ids = Object.fromEntries(names.map((name) => [name, newRoutedId(first.number)]));
  for (const name of names) await send(first.databaseId, sent(first.databaseId, first, ids[name] ?? "", name));
  const move = await begin(home, first, given);
  return { move, ids, source: move.from.databaseId, target: move.to.databaseId };
}

const idOf = (ids: Record<string, string>, name: string) => ids[name] ?? "";

describe("the guard", () => {
  test("what the target sends before the switch waits in the inbox whole, and the catalog does not change", async () => {
    const { ids, source, target } = await moving(["One", "Two"]);
    const [before, events] = [await catalogRows(home.url), await changes()];
    await send(
      target,
      sent(target, home.first, idOf(ids, "One"), "One of the target"),
      sent(target, home.first, newRoutedId(home.first.number), "New in the target"),
      sent(target, home.first, idOf(ids, "Two"), "Two"),
    );
    await send(target, `delete from tenantry_inbox.resources where id = '${idOf(ids, "Two")}'`);
    await send(
      target,
      `update tenantry_inbox.resources set name = 'Again' where database_id = ${target} and id = '${idOf(ids, "One")}'`,
    );
    expect(await catalogRows(home.url)).toEqual(before);
    expect(await changes()).toEqual(events);
    expect(await inbox(target)).toMatchObject([
      { name: "Again", organization_id: home.first.organization, fault: null },
      { name: "New in the target", organization_id: home.first.organization, fault: null },
    ]);
    // The source goes on sending.
    await send(
      source,
      `update tenantry_inbox.resources set name = 'One more' where id = '${idOf(ids, "One")}' and database_id = ${source}`,
    );
    await send(
      source,
      `delete from tenantry_inbox.resources where id = '${idOf(ids, "Two")}' and database_id = ${source}`,
    );
    expect(Object.keys(await catalogRows(home.url))).toEqual(["One more"]);
  });

  test("after the switch the target is believed, and what the source still sends waits", async () => {
    const { move, ids, source, target } = await moving(["Changed", "Deleted", "Left"]);
    await send(
      target,
      ...["Changed", "Deleted", "Left"].map((name) => sent(target, home.first, idOf(ids, name), name)),
    );
    expect(await switchPlacement(home.app.services, move)).toBe(true);
    await send(
      target,
      `update tenantry_inbox.resources set name = 'Changed there' where database_id = ${target} and id = '${idOf(ids, "Changed")}'`,
    );
    await send(
      target,
      `delete from tenantry_inbox.resources where database_id = ${target} and id = '${idOf(ids, "Deleted")}'`,
    );
    const before = await catalogRows(home.url);
    expect(Object.keys(before)).toEqual(["Changed there", "Left"]);
    await send(
      source,
      `update tenantry_inbox.resources set name = 'Late' where database_id = ${source}`,
      sent(source, home.first, newRoutedId(home.first.number), "Late too"),
      `delete from tenantry_inbox.resources where database_id = ${source} and id = '${idOf(ids, "Left")}'`,
    );
    expect(await catalogRows(home.url)).toEqual(before);
    expect((await readCatalog(home.url)).faults).toEqual([]);
    // Nobody hears of the source when the move is over either.
    await endMove(home.app.services, move.placementId, { withDatabase: false, signal });
    await send(source, sent(source, home.first, idOf(ids, "Left"), "Too late"));
    await send(source, `delete from tenantry_inbox.resources where database_id = ${source}`);
    expect(await catalogRows(home.url)).toEqual(before);
  });

  test("the other database of a move speaks for this placement only, and its rows are looked at as all are", async () => {
    const { first, second, other } = home;
    await send(second.databaseId, sent(second.databaseId, second, newRoutedId(second.number), "Second's"));
    const theirs = newRoutedId(other.number);
    await send(other.databaseId, sent(other.databaseId, other, theirs, "Other's"));
    const { ids, target } = await moving(["Mine"]);
    const before = await catalogRows(home.url);
    await send(
      target,
      // Rows of a placement that stays in the source, and of one elsewhere.
      sent(target, second, newRoutedId(second.number), "Forged"),
      sent(target, other, newRoutedId(other.number), "Forged"),
      sent(target, first, theirs, "Forged"),
      sent(target, second, newRoutedId(first.number), "Forged"),
      sent(target, first, newRoutedId(first.number), ""),
      // What is good, and what deletes it.
      sent(target, first, idOf(ids, "Mine"), "Waits"),
    );
    await send(target, `delete from tenantry_inbox.resources where database_id = ${target}`);
    await send(target, `delete from tenantry_inbox.resources where database_id = ${second.databaseId}`);
    expect(await catalogRows(home.url)).toEqual(before);
    await send(target, sent(target, first, newRoutedId(first.number), ""), sent(target, first, theirs, "Forged"));
    expect((await readCatalog(home.url)).faults).toEqual([
      "its id does not lead to a placement of its organization in this database",
      "its name is empty, longer than 200 characters, or has control characters or invisible ones",
    ]);
  });

  test("a database that moves have nothing to do with cannot send for a placement on a move", async () => {
    const { ids } = await moving(["Mine"]);
    const before = await catalogRows(home.url);
    const { databaseId } = home.other;
    await send(databaseId, sent(databaseId, home.first, idOf(ids, "Mine"), "Forged"));
    await send(databaseId, `delete from tenantry_inbox.resources where database_id = ${databaseId}`);
    expect(await catalogRows(home.url)).toEqual(before);
  });
});

describe("the switch", () => {
  test("writes no row of the catalog and tells followers nothing; settling writes only what differs", async () => {
    const adopted = 16_000_001;
    const placementId = await placementIdOf(home, home.first);
    await sql(home.url, "insert into tenantry.adopted_numbers values ($1, $2)", [adopted, placementId]);
    const { first } = home;
    const imported = newRoutedId(adopted);
    await send(first.databaseId, sent(first.databaseId, first, imported, "Imported"));
    const { move, ids, target } = await moving(["Changed", "Gone", "Same"]);
    const more = newRoutedId(first.number);
    await send(
      target,
      sent(target, first, imported, "Imported"),
      sent(target, first, idOf(ids, "Changed"), "Changed there"),
      sent(target, first, idOf(ids, "Same"), "Same"),
      sent(target, first, more, "More"),
    );
    // What others have is not compared.
    await send(
      home.second.databaseId,
      sent(home.second.databaseId, home.second, newRoutedId(home.second.number), "Second's"),
    );
    const [before, events] = [await catalogRows(home.url), await changes()];
    expect(await switchPlacement(home.app.services, move)).toBe(true);
    expect(await catalogRows(home.url)).toEqual(before);
    expect(await changes()).toEqual(events);
    expect(
      await sql(home.url, "select database_id, region_id, isolation, state from tenantry.placements where id = $1", [
        placementId,
      ]),
    ).toEqual([{ database_id: target, region_id: home.there, isolation: "DEDICATED", state: "ACTIVE" }]);
    await settleCatalog(home.app.services, placementId, signal);
    const after = await catalogRows(home.url);
    expect(Object.keys(after)).toEqual(["Changed there", "Imported", "More", "Same", "Second's"]);
    for (const name of ["Imported", "Same", "Second's"]) expect(after[name], name).toBe(before[name]);
    expect((await changes()).slice(events.length)).toEqual(
      expect.arrayContaining([
        { organization_id: first.organization, subject_id: idOf(ids, "Changed"), kind: "UPDATED" },
        { organization_id: first.organization, subject_id: idOf(ids, "Gone"), kind: "DELETED" },
        { organization_id: first.organization, subject_id: more, kind: "CREATED" },
      ]),
    );
    expect(await changes()).toHaveLength(events.length + 3);
    await settleCatalog(home.app.services, placementId, signal);
    expect(await catalogRows(home.url)).toEqual(after);
  });

  test("settling goes through many rows in pieces", async () => {
    const { first } = home;
    const many = (databaseId: number, change: string) => `insert into tenantry_inbox.resources
        (database_id, id, organization_id, name, created_at, updated_at)
      select ${databaseId}, id, '${first.organization}', ${change}, '2026-01-01', '2026-01-01' from public.made`;
    await sql(
      home.url,
      `create table public.made as select i, overlay(overlay(uuid_in(md5(i::text)::cstring)::text placing '7' from 15)
         placing (select substr(id, 20, 8) from (select $1::text as id) one) from 20)::uuid as id from generate_series(1, 5000) i`,
      [newRoutedId(first.number)],
    );
    await send(first.databaseId, many(first.databaseId, "'Row ' || i"));
    expect(Object.keys(await catalogRows(home.url))).toHaveLength(5_000);
    const move = await begin(home, first);
    const { databaseId } = move.to;
    await send(
      databaseId,
      `${many(databaseId, "case when i % 100 = 0 then 'Other ' else 'Row ' end || i")} where i % 7 > 0`,
    );
    await switchPlacement(home.app.services, move);
    await settleCatalog(home.app.services, move.placementId, signal);
    expect(
      await sql(
        home.url,
        `select count(*)::int as rows, count(*) filter (where name like 'Other %')::int as others,
                (select count(*)::int from public.made where i % 7 > 0) as wanted from catalog.resources`,
      ),
    ).toEqual([{ rows: 4_286, others: 43, wanted: 4_286 }]);
  });

  test("settling waits for what was sent before the switch and is not committed", async () => {
    const { move, ids, target } = await moving(["Kept"]);
    await send(target, sent(target, home.first, idOf(ids, "Kept"), "Kept"));
    const late = new pg.Client({ connectionString: home.url });
    await late.connect();
    try {
      await late.query(`begin; set local tenantry.catalog_sender = '${target}';
        ${sent(target, home.first, newRoutedId(home.first.number), "Late")}`);
      await switchPlacement(home.app.services, move);
      const settled = settleCatalog(home.app.services, move.placementId, signal);
      await expect
        .poll(() =>
          sql(home.url, "select from pg_locks where locktype = 'advisory' and classid = 7365012 and not granted"),
        )
        .toHaveLength(1);
      await late.query("commit");
      await settled;
    } finally {
      await late.end();
    }
    expect(Object.keys(await catalogRows(home.url))).toEqual(["Kept", "Late"]);
  });

  test("asked again it says the same; called off it does not happen; and back it goes", async () => {
    const { move, source, target } = await moving(["One"], { keepSourceSeconds: 60 });
    const { services } = home.app;
    const placedIn = async () =>
      (await sql(home.url, "select database_id from tenantry.placements where id = $1", [move.placementId]))[0];
    expect(await switchBack(services, move)).toBe(true);
    expect(await switchPlacement(services, move)).toBe(true);
    const [{ switched_at: at } = {}] = await sql(home.url, "select switched_at from tenantry.moves");
    expect(await switchPlacement(services, move)).toBe(true);
    expect(await sql(home.url, "select switched_at, other_database_id from tenantry.moves")).toEqual([
      { switched_at: at, other_database_id: source },
    ]);
    expect(await cancelMove(services, move.placementId)).toBe(true);
    expect(await cancelMove(services, move.placementId)).toBe(false);
    expect(await switchBack(services, move)).toBe(true);
    expect(await placedIn()).toEqual({ database_id: source });
    expect(await sql(home.url, "select other_database_id from tenantry.moves")).toEqual([
      { other_database_id: target },
    ]);
    // It was called off.
    expect(await switchPlacement(services, move)).toBe(false);
    expect(await placedIn()).toEqual({ database_id: source });
    expect(await switchPlacement(services, { ...move, placementId: newId() })).toBe(false);

    expect(await switchPlacement(services, { ...move, to: { ...move.to, databaseId: home.other.databaseId } })).toBe(
      false,
    );
  });

  test("an erasure that is due in the source is due in the target too", async () => {
    const { move, source, target } = await moving([]);
    await sql(home.url, "update tenantry.tenant_databases set engine_version = 1, app_version = 1 where id = $1", [
      source,
    ]);
    const userId = newId();
    await home.app.services.home.transaction((transaction) =>
      requestErasure(transaction, { userId, requestedBy: "system", eraseSql: undefined }),
    );
    const due = () => sql(home.url, "select database_id from tenantry.erasures_due order by database_id");
    expect(await due()).toEqual([{ database_id: source }]);
    await switchPlacement(home.app.services, move);
    expect(await due()).toEqual([{ database_id: source }, { database_id: target }]);
  });
});

test("an erasure that is asked for during a move is due in both databases", async () => {
  const { source, target } = await moving([]);
  await sql(home.url, "update tenantry.tenant_databases set engine_version = 1, app_version = 1 where id = any($1)", [
    [source, target],
  ]);
  await home.app.services.home.transaction((transaction) =>
    requestErasure(transaction, { userId: newId(), requestedBy: "system", eraseSql: undefined }),
  );
  expect(await sql(home.url, "select database_id from tenantry.erasures_due order by database_id")).toEqual([
    { database_id: source },
    { database_id: target },
  ]);
});

describe("the beginning", () => {
  async function refusal(placed: Placed, given: Partial<MoveRequest> = {}): Promise<unknown> {
    return begin(home, placed, given).then(
      () => "it began",
      (error: unknown) => (error as Error).message,
    );
  }

  test("projects the organization and its members into the target, also those who come later", async () => {
    const join = async (name: string) => {
      const user = newId();
      await sql(home.url, "insert into tenantry.users (id, name, email) values ($1, $2, $2 || '@example.com')", [
        user,
        name,
      ]);
      await sql(home.url, "insert into tenantry.memberships values ($1, $2, 'MEMBER')", [
        home.first.organization,
        user,
      ]);
    };
    await join("before");
    const move = await begin(home, home.first);
    await join("later");
    const names = (databaseId: number) =>
      sql(home.url, "select name from tenantry.directory_members where database_id = $1 order by name", [databaseId]);
    expect(await names(move.to.databaseId)).toEqual([{ name: "before" }, { name: "later" }]);
    expect(move).toMatchObject({
      step: "PREPARING",
      isSwitched: false,
      from: { databaseId: home.first.databaseId, isolation: "SHARED" },
      to: {
        database: `${namePrefix(home.installation)}${move.to.databaseId}`,
        regionKey: "there",
        isolation: "DEDICATED",
        schemaVersion: null,
      },
    });
    await endMove(home.app.services, move.placementId, { withDatabase: true, signal });
    expect(await names(move.to.databaseId)).toEqual([]);
    expect(await names(home.first.databaseId)).toHaveLength(2);
    expect(await sql(home.url, "select from tenantry.tenant_databases where id = $1", [move.to.databaseId])).toEqual(
      [],
    );
    expect(await sql(home.url, "select state from tenantry.placements where id = $1", [move.placementId])).toEqual([
      { state: "ACTIVE" },
    ]);
  });

  test("where placements share a database, the one that is there is taken", async () => {
    const move = await begin(home, home.first, { isolation: "SHARED" });
    const again = await begin(home, home.second, { isolation: "SHARED" });
    expect(again.to.databaseId).toBe(move.to.databaseId);
    expect(move.to.isolation).toBe("SHARED");
  });

  test("what is in the way is said, and nothing is changed", async () => {
    const { first, other, here, there, url } = home;
    const rows = () =>
      sql(
        url,
        `select (select count(*) from tenantry.moves) as moves, (select count(*) from tenantry.tenant_databases) as databases,
                (select count(*) from tenantry.directory_organizations) as directory`,
      );
    const before = await rows();
    const placementId = await placementIdOf(home, first);
    const set = (text: string, ...values: unknown[]) => sql(url, text, values);
    expect(await refusal(first, { placementId: newId() })).toMatch(/Placement/);
    expect(await refusal(first, { toRegionId: here, isolation: "SHARED" })).toBe(
      "The placement is SHARED in that region already: name another region or another isolation.",
    );
    expect(await refusal(first, { toRegionId: newId() })).toBe("There is no such region.");
    await set("update tenantry.placements set state = 'SUSPENDED' where id = $1", placementId);
    expect(await refusal(first)).toBe("Only an ACTIVE placement can be moved: this one is SUSPENDED.");
    await set("update tenantry.placements set state = 'ACTIVE' where id = $1", placementId);
    await set("update tenantry.organizations set deleting_at = now() where id = $1", first.organization);
    expect(await refusal(first)).toBe("The organization is being deleted: its placements are not moved any more.");
    await set("update tenantry.organizations set deleting_at = null where id = $1", first.organization);
    await set("update tenantry.regions set retired_at = now() where id = $1", there);
    expect(await refusal(first)).toBe("The region there is being retired: it takes no more placements.");
    await set("update tenantry.regions set retired_at = null where id = $1", there);
    const migrating =
      "update tenantry.tenant_databases set migrating_to_engine = $2, migrating_to_app = $2 where id = $1";
    await set(migrating, first.databaseId, 1);
    expect(await refusal(first)).toBe("The placement's database is being migrated: try again when that is over.");
    expect(await refusal(other, { toRegionId: here, isolation: "SHARED" })).toBe(
      "The shared database of the region played is being migrated: try again when that is over.",
    );
    await set(migrating, first.databaseId, null);
    expect(await rows()).toEqual(before);
    // Placed there already, or on the way to it or from it.
    const third = newId();
    await set(
      `with made as (insert into tenantry.tenant_databases (region_id, isolation, name) values ($3, 'DEDICATED', 'third') returning id)
       insert into tenantry.placements (id, organization_id, region_id, database_id, isolation, state)
       select $1, $2, $3, id, 'DEDICATED', 'ACTIVE' from made`,
      third,
      first.organization,
      there,
    );
    expect(await refusal(first)).toBe(
      "The organization has a placement in the region there: it can have one in a region.",
    );
    await set("delete from tenantry.placements where id = $1", third);
    await begin(home, first);
    expect(await refusal(first)).toBe("The placement is being moved already: wait until that is over, or cancel it.");
  });

  test("another placement of the organization keeps out of both regions of a move", async () => {
    const { first, url } = home;
    const region = newId();
    await sql(
      url,
      `insert into tenantry.regions
         (id, key, name, connection_url, host, port, system_identifier, server_version, subscription_method)
       values ($1, 'third', 'Third', '', 'nowhere.invalid', 5432, 'third', 180000, 'SUPERUSER')`,
      [region],
    );
    const placement = newId();
    await sql(
      url,
      `with made as (insert into tenantry.tenant_databases (region_id, isolation, name) values ($3, 'DEDICATED', 'third') returning id)
       insert into tenantry.placements (id, organization_id, region_id, database_id, isolation, state)
       select $1, $2, $3, id, 'DEDICATED', 'ACTIVE' from made`,
      [placement, first.organization, region],
    );
    const move = await begin(home, first);
    const { services } = home.app;
    const second = (toRegionId: string) =>
      services.home.transaction((transaction) =>
        beginMove(
          { home: transaction, namePrefix: "tenantry_x_" },
          {
            placementId: placement,
            toRegionId,
            isolation: "DEDICATED",
            keepSourceSeconds: 0,
            goesThroughOthers: false,
          },
        ),
      );
    const grantTo = (regionKey: string) =>
      grantRegionAccess(services, OPERATOR, { organizationId: first.organization, regionKey, isolation: "SHARED" });
    await expect(second(home.there)).rejects.toThrow(
      "Another placement of the organization is being moved from or to the region there",
    );
    await expect(grantTo("there")).rejects.toMatchObject({
      code: "CONFLICT",
      message:
        "A placement of the organization is being moved from or to the region there: wait until that is over, or cancel the move.",
    });
    await switchPlacement(services, move);
    await expect(second(home.here)).rejects.toThrow(
      "Another placement of the organization is being moved from or to the region played",
    );
    await expect(grantTo("played")).rejects.toMatchObject({ code: "CONFLICT" });
  });
});

describe("whoever counts databases", () => {
  const replicated = async () =>
    (await listReplicatedDatabases(home.app.services, {})).map(({ databaseId }) => databaseId);

  test("links of both databases are carried, from when they are made until they are taken away", async () => {
    const { move, source, target } = await moving([]);
    const { services } = home.app;
    const linked = async (databaseId: number) => (await findLinkedDatabase(services, databaseId)) !== undefined;
    expect(await replicated()).not.toContain(target);
    expect(await linked(target)).toBe(true);
    await sql(home.url, "update tenantry.tenant_databases set engine_version = 2, app_version = 1 where id = $1", [
      target,
    ]);
    expect(await replicated()).toEqual(expect.arrayContaining([source, target]));
    await switchPlacement(services, move);
    await noteProgress(services, move.placementId, { step: "KEEPING_SOURCE" });
    expect(await replicated()).toEqual(expect.arrayContaining([source, target]));
    await noteProgress(services, move.placementId, { step: "CLEANING" });
    expect(await replicated()).toContain(target);
  });

  test("a database in a move is not migrated, and the plan says why", async () => {
    const { source, target } = await moving([]);
    await sql(home.url, "update tenantry.tenant_databases set engine_version = 1, app_version = 0 where id = $1", [
      source,
    ]);
    const { services } = home.app;
    const inMove = (await listTenantDatabases(services)).filter(({ isInMove }) => isInMove).map(({ id }) => id);
    expect(inMove.toSorted((a, b) => a - b)).toEqual([source, target]);
    const { skipped } = await planFleetMigration(services);
    expect(Object.fromEntries(skipped.map(({ database, reason }) => [database.id, reason]))).toMatchObject({
      [source]: "moving",
      [target]: "being-made",
    });
  });

  test("a shared database is not closed while a placement comes from or goes to it", async () => {
    const { first, second } = home;
    const { move, source, target } = await moving([], { isolation: "SHARED" });
    const { services } = home.app;
    await switchPlacement(services, move);
    const other = await placementIdOf(home, second);
    expect(await closeWithLast(services, { id: other, databaseId: source })).toBe(false);
    await begin(home, second, { isolation: "SHARED" });
    expect(await closeWithLast(services, { id: move.placementId, databaseId: target })).toBe(false);
    expect(await closeWithLast(services, { id: await placementIdOf(home, first), databaseId: source })).toBe(false);
  });

  test("a region is not retired while a placement moves from or to it", async () => {
    const { move } = await moving([]);
    const { services } = home.app;
    const retire = (key: string) => retireRegion(services, OPERATOR, { key, abandonServer: true });
    await expect(retire("there")).rejects.toThrow(
      "1 placement is being moved from or to the region: wait until that is over, or cancel it.",
    );
    for (const placed of [home.second, home.other])
      await sql(home.url, "delete from tenantry.placements where number = $1", [placed.number]);
    await switchPlacement(services, move);
    await expect(retire("played")).rejects.toThrow("1 placement is being moved from or to the region");
  });
});

test("a placement on a move is not revoked, resumed or deleted, and the refusal says what to do", async () => {
  const { move } = await moving([], { keepSourceSeconds: 60 });
  const { services } = home.app;
  const { placementId } = move;
  const acts = {
    revoke: () =>
      revokeRegionAccess(services, OPERATOR, { placementId, confirm: "First", skipGrace: true, exportFirst: false }),
    resume: () => resumeRegionAccess(services, OPERATOR, placementId),
    delete: () => deleteOrganization(services, OPERATOR, { organizationId: home.first.organization, confirm: "First" }),
  };
  for (const act of Object.values(acts))
    await expect(act()).rejects.toMatchObject({
      code: "CONFLICT",
      message: "The placement is being moved: cancel the move first, or wait until it is over.",
    });
  await switchPlacement(services, move);
  await noteProgress(services, placementId, { step: "KEEPING_SOURCE" });
  await sql(home.url, "update tenantry.moves set keep_until = '2026-12-01 10:00:00+00'");
  await expect(acts.revoke()).rejects.toThrow("is kept until 2026-12-01T10:00:00.000Z");
  expect(await sql(home.url, "select from tenantry.jobs where kind = 'revoke-placement'")).toEqual([]);
});

test("whoever watches the placement hears of what its move has come to, and not of each row", async () => {
  const { move } = await moving([]);
  const heard: string[] = [];
  const listener = new pg.Client({ connectionString: home.url });
  await listener.connect();
  try {
    listener.on("notification", ({ payload }) => heard.push(payload ?? ""));
    await listener.query("listen tenantry_placement");
    const { services } = home.app;
    const after = async (act: () => Promise<unknown>) => {
      heard.length = 0;
      await act();
      await sql(home.url, "select pg_notify('tenantry_placement', 'end')");
      await expect.poll(() => heard.at(-1)).toBe("end");
      return new Set(heard.slice(0, -1));
    };
    const told = new Set([move.placementId]);
    expect(await after(() => noteProgress(services, move.placementId, { rowsCopied: 7, lagBytes: 1 }))).toEqual(
      new Set(),
    );
    expect(await after(() => noteProgress(services, move.placementId, { step: "COPYING" }))).toEqual(told);
    expect(await after(() => switchPlacement(services, move))).toEqual(told);
    expect(await after(() => endMove(services, move.placementId, { withDatabase: false, signal }))).toEqual(told);
  } finally {
    await listener.end();
  }
});

test("the end of a move forgets what its other database had sent, and leaves the catalog", async () => {
  const { move, ids, target } = await moving(["One", "Two"]);
  await send(target, sent(target, home.first, idOf(ids, "One"), "One"));
  const before = await catalogRows(home.url);
  const { services } = home.app;
  await forgetInbox(services, { databaseId: target, organizationId: home.first.organization }, signal);
  expect(await catalogRows(home.url)).toEqual(before);
  await endMove(services, move.placementId, { withDatabase: true, signal });
  await endMove(services, move.placementId, { withDatabase: true, signal });
  expect(await catalogRows(home.url)).toEqual(before);
  expect(await inbox(target)).toEqual([]);
  expect(await findMove(services, move.placementId)).toBeUndefined();
});
