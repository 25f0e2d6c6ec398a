/** Erasing somebody takes their id out of the app's tables, in every database: the declared columns, and what erase.sql says. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { join } from "node:path";
import { armFailpoint } from "../../src/base/kernel/failpoints.ts";
import { newId } from "../../src/base/kernel/ids.ts";
import { OPERATOR } from "../../src/engine/auth/actor.ts";
import { readEraseSql } from "../../src/engine/erasure/erase-sql.ts";
import { askAgainIn, requestErasure } from "../../src/engine/erasure/erasure-record.ts";
import { runExport } from "../../src/engine/transfer/export-placement.ts";
import { runImport } from "../../src/engine/transfer/import-placement.ts";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { INVOICES_APP, invoicesWith } from "../support/invoices.ts";
import {
  addMember,
  comment,
  createOrganization,
  createResource,
  createUser,
  eventually,
  grant,
  registerRegion,
} from "../support/journey.ts";
import { temporaryFolder } from "../support/servers.ts";

/** Besides what the example has: one reaction of a user to an invoice, which nobody may leave out. */
const REACTIONS = `create table app.reactions (
    id uuid primary key default tenantry.new_id(),
    organization_id uuid not null default tenantry.organization(),
    invoice_id uuid not null, user_id uuid not null, seen_by uuid, unique (invoice_id, user_id)
  );
  select tenantry.tenant_table('app.reactions');
  select tenantry.catalog('app.reactions', '{user_id}');
  select tenantry.personal('app.reactions', 'user_id', 'user');
  select tenantry.personal('app.reactions', 'seen_by', 'user');`;

const ERASE = "mutation ($id: ID!) { eraseUser(id: $id) { complete pending { id } } }";
const LOG = `query ($id: ID!) { auditLog(organizationId: $id, first: 20) {
  edges { node { who via action subjectKind subjectId outcome } } } }`;

let app: TestApp;
beforeAll(async () => {
  app = await startApp({
    application: { ...INVOICES_APP, tenantSchema: invoicesWith(REACTIONS) },
    // What is carried was nudged.
    replication: { sweepIntervalMs: 3_600_000, carrier: { idleMs: 100 } },
  });
  await registerRegion(app, "eu", serverUrl("eu"));
  await registerRegion(app, "us", serverUrl("us"));
});
afterAll(() => app.stop());

const jobsOf = (user: string) =>
  sql<{ subject: string; state: string; last_error: string | null; result: any }>(
    app.databaseUrl,
    "select subject, state, last_error, result from tenantry.jobs where kind = 'erase-user' and subject like $1 order by subject",
    [`user:${user}%`],
  );

const erase = async (user: string) =>
  expect((await app.ask(ERASE, { id: user })).eraseUser).toEqual({ complete: true, pending: [] });

/** A placement, and a way to write there as the API does. */
async function place(region: "eu" | "us", isolation: "DEDICATED" | "SHARED", of?: string) {
  const organization = of ?? (await createOrganization(app, `In ${region}`));
  const { database, id: placement } = await grant(app, organization, region, isolation);
  // The job lets go of the placement a moment later.
  await eventually(async () => {
    const busy = "select from tenantry.jobs where placement_id = $1 and state in ('WAITING', 'RUNNING')";
    return (await sql(app.databaseUrl, busy, [placement])).length === 0;
  });
  const route = (await app.services.router.routesOf(organization)).find((one) => one.placementId === placement);
  if (route === undefined) throw new Error("the organization has no placement");
  const url = `${serverUrl(region)}/${database}`;
  const write = async (number: string, user: string) => {
    const [row] = await route.open().query<{ id: string }>(
      "test.invoice",
      `with invoice as (insert into app.invoices (number, created_by) values ($1, $2) returning id),
         reaction as (insert into app.reactions (invoice_id, user_id, seen_by) select id, $2, $2 from invoice),
         scan as (insert into app.attachments (invoice_id, name, content) select id, 'ada.pdf', '' from invoice)
       select id from invoice`,
      [number, user],
    );
    return row?.id ?? "";
  };
  const rows = () =>
    sql(
      url,
      `select number, created_by, user_id, seen_by, name from app.invoices i
       join app.reactions r on r.invoice_id = i.id join app.attachments a on a.invoice_id = i.id
       where i.organization_id = $1 order by number`,
      [organization],
    );
  return { organization, placement, url, write, rows };
}

describe.each(["DEDICATED", "SHARED"] as const)("%s", (isolation) => {
  test("the id goes from every placement of every region, and nobody else's does", async () => {
    const [user, other] = [await createUser(app, "Erased"), await createUser(app, "Other")];
    const places = [await place("eu", isolation), await place("eu", isolation), await place("us", isolation)];
    const untouched = await place("us", isolation);
    // They need not be a member any more, nor ever have been one there.
    await addMember(app, places[0]?.organization ?? "", user);
    for (const { write } of places) {
      await write("A-1", user);
      await write("A-2", other);
    }
    await untouched.write("A-1", other);
    await erase(user);

    const kept = { created_by: other, user_id: other, seen_by: other, name: "ada.pdf" };
    for (const { rows } of places) {
      const [first, second] = await rows();
      expect(first).toEqual({
        number: "A-1",
        created_by: null,
        user_id: first?.["user_id"],
        seen_by: null,
        name: "attachment",
      });
      expect(first?.["user_id"]).not.toBe(user);
      expect(second).toEqual({ number: "A-2", ...kept });
    }
    expect(await untouched.rows()).toEqual([{ number: "A-1", ...kept }]);
    const inCatalog = "select from catalog.reactions where user_id = $1";
    expect(await sql(app.databaseUrl, inCatalog, [user])).toEqual([]);
    expect(await sql(app.databaseUrl, inCatalog, [other])).toHaveLength(4);

    const entry = {
      who: "OPERATOR",
      via: "JOB",
      action: "eraseUser",
      subjectKind: "USER",
      subjectId: user,
      outcome: "OK",
    };
    for (const { organization } of places) {
      const { auditLog } = await app.ask(LOG, { id: organization });
      expect(auditLog.edges.map(({ node }: any) => node).filter(({ via }: any) => via === "JOB")).toEqual([entry]);
    }
    const { auditLog } = await app.ask(LOG, { id: untouched.organization });
    expect(auditLog.edges.filter(({ node }: any) => node.subjectId === user)).toEqual([]);

    expect((await jobsOf(user)).map(({ subject, state, result }) => [subject, state, result.due])).toEqual([
      [`user:${user} home`, "DONE", 0],
      [`user:${user} region:eu`, "DONE", 0],
      [`user:${user} region:us`, "DONE", 0],
    ]);
    expect((await jobsOf(user)).map(({ result }) => result.eraseSql)).toEqual(
      Array(3).fill(INVOICES_APP.eraseSql?.checksum),
    );
  });

  test("an import of an export from before brings nothing of it back, and neither does one that ends in the middle", async () => {
    const { organization, write, placement } = await place("us", isolation);
    const [user, later] = [await createUser(app, "Before"), await createUser(app, "Later")];
    await addMember(app, organization, user);
    await write("A-1", user);
    await write("A-2", later);
    const folder = join(temporaryFolder(), "export");
    await runExport(app.services, OPERATOR, placement, folder);
    await erase(user);
    await app.ask("mutation ($input: RevokeRegionAccessInput!) { revokeRegionAccess(input: $input) { id } }", {
      input: { placementId: placement, confirm: "In us", skipGrace: true },
    });
    const gone = async () =>
      (await sql(app.databaseUrl, "select from tenantry.placements where id = $1", [placement])).length === 0;
    expect(await eventually(gone, 20_000)).toBe(true);

    const again = await place("us", isolation, organization);
    // Everything was written, and the import has not come to the erasures.
    const disarm = armFailpoint("import/written", () => {
      throw new Error("the import broke off");
    });
    await expect(runImport(app.services, OPERATOR, again.placement, folder)).rejects.toThrow("broke off");
    disarm();
    await expect
      .poll(async () => (await again.rows())[0], { timeout: 20_000 })
      .toMatchObject({ created_by: null, seen_by: null, name: "attachment" });

    // Written once more, with an erasure of today.
    await sql(again.url, "delete from app.attachments where organization_id = $1", [organization]);
    await sql(again.url, "delete from app.invoices where organization_id = $1", [organization]);
    await sql(again.url, "delete from app.reactions where organization_id = $1", [organization]);
    await erase(later);
    const imported = await runImport(app.services, OPERATOR, again.placement, folder);
    expect(imported.tables["app.invoices"]).toEqual({ rows: 2, added: 2 });
    expect(imported.missingMembers).toEqual({ count: 0, first: [] });
    for (const row of await again.rows()) {
      expect(row).toMatchObject({ created_by: null, seen_by: null, name: "attachment" });
      expect([user, later]).not.toContain(row["user_id"]);
    }
    const settled = "select from tenantry.erasures_due where user_id = any($1)";
    await expect.poll(() => sql(app.databaseUrl, settled, [[user, later]]), { timeout: 20_000 }).toEqual([]);
  }, 60_000);

  test("an erasure that is under way when an import brings rows back, and breaks off, is not taken for done", async () => {
    const { organization, write, placement, url, rows } = await place("us", isolation);
    const user = await createUser(app, "Underway");
    await write("A-1", user);
    const folder = join(temporaryFolder(), "export");
    await runExport(app.services, OPERATOR, placement, folder);
    for (const table of ["attachments", "reactions", "invoices"])
      await sql(url, `delete from app.${table} where organization_id = $1`, [organization]);
    // It has looked at every row, and has not said so yet.
    const reached = Promise.withResolvers<void>();
    const going = Promise.withResolvers<void>();
    const atRegion = armFailpoint("erase-user/note-done/before", async () => {
      reached.resolve();
      await going.promise;
    });
    const disarm = armFailpoint("import/written", () => {
      throw new Error("the import broke off");
    });
    try {
      const erased = app.ask(ERASE, { id: user });
      await reached.promise;
      await expect
        .poll(() =>
          sql(
            app.databaseUrl,
            "select from tenantry.job_steps s join tenantry.jobs j on j.id = s.job_id where j.subject = $1 and s.name = 'note-done'",
            [`user:${user} region:us`],
          ),
        )
        .toHaveLength(1);
      await expect(runImport(app.services, OPERATOR, placement, folder)).rejects.toThrow("broke off");
      expect(await rows()).toMatchObject([{ created_by: user }]);
      going.resolve();
      await erased;
    } finally {
      going.resolve();
      atRegion();
      disarm();
    }
    await expect
      .poll(rows, { timeout: 20_000 })
      .toMatchObject([{ created_by: null, seen_by: null, name: "attachment" }]);
  }, 60_000);

  test("a region that does not know an erased member is not told of them by a later grant", async () => {
    const first = await place("eu", isolation);
    const user = await createUser(app, "Member");
    await addMember(app, first.organization, user);
    await erase(user);
    const second = await place("us", isolation, first.organization);
    const known = "select name from tenantry.directory_members where user_id = $1";
    expect(await sql(first.url, known, [user])).toEqual([{ name: "Erased user" }]);
    expect(await sql(second.url, known, [user])).toEqual([]);
  });

  test("two who have reacted to one invoice are erased, though a key names the column", async () => {
    const { url, write } = await place("eu", isolation);
    const users = [await createUser(app, "First"), await createUser(app, "Second")];
    const invoice = await write("A-1", users[0] ?? "");
    await sql(
      url,
      `insert into app.reactions (id, organization_id, database_id, invoice_id, user_id)
       select gen_random_uuid(), organization_id, database_id, invoice_id, $2 from app.reactions where invoice_id = $1`,
      [invoice, users[1]],
    );
    for (const user of users) await erase(user);
    const [left] = await sql(
      url,
      "select count(*)::int as rows, count(distinct user_id)::int as users from app.reactions where invoice_id = $1 and user_id <> all($2)",
      [invoice, users],
    );
    expect(left).toEqual({ rows: 2, users: 2 });
  });
});

test("erasures that a restore brought back are asked for in pieces, and what is cut off goes on", async () => {
  const { url, organization } = await place("eu", "DEDICATED");
  const { home, eraseSql } = app.services;
  const [{ id } = { id: 0 }] = await sql<{ id: number }>(
    app.databaseUrl,
    "select database_id as id from tenantry.placements where organization_id = $1",
    [organization],
  );
  const users = Array.from({ length: 101 }, newId);
  await sql(
    app.databaseUrl,
    "insert into tenantry.erasures (user_id, id, erased_at, home_is_due) select one, gen_random_uuid(), now(), false from unnest($1::uuid[]) one",
    [users],
  );
  const asked = async () =>
    (
      await sql(app.databaseUrl, "select distinct subject from tenantry.jobs where subject = any($1)", [
        users.map((user) => `user:${user} region:eu`),
      ])
    ).length;
  const ask = () => askAgainIn(home, id, users, { requestedBy: "test", eraseSql });
  const disarm = armFailpoint("erasures/asked-again", () => {
    throw new Error("cut off");
  });
  await expect(ask()).rejects.toThrow("cut off");
  disarm();
  expect(await asked()).toBe(100);
  await ask();
  expect(await asked()).toBe(101);
  await expect
    .poll(() => sql(url, "select from tenantry.erasures where user_id = any($1) and done_at is not null", [users]), {
      timeout: 30_000,
    })
    .toHaveLength(101);
}, 60_000);

test("links with nothing to carry of it stay parked", async () => {
  const { placement, url, write } = await place("us", "DEDICATED");
  await write("A-1", newId());
  const [{ id } = { id: 0 }] = await sql<{ id: number }>(
    app.databaseUrl,
    "select database_id as id from tenantry.placements where id = $1",
    [placement],
  );
  const links = (["directory", "catalog"] as const).map((direction) => ({ databaseId: id, direction }));
  const [{ now: moment } = { now: new Date() }] = await sql<{ now: Date }>(app.databaseUrl, "select now()");
  expect(await app.services.nudges.carry(links, 10_000)).toEqual([]);
  // At rest: nothing of it is carried any more.
  const awake = "select from pg_subscription where subenabled and starts_with(subname, $1)";
  const prefix = `${new URL(url).pathname.slice(1)}_`;
  for (const at of [app.databaseUrl, url])
    await expect.poll(() => sql(at, awake, [prefix]), { timeout: 10_000 }).toEqual([]);
  const user = await createUser(app, "Stranger");
  const carried = () =>
    sql<{ at: Date | null }>(
      app.databaseUrl,
      "select direction, carried_at as at from tenantry.links where database_id = $1 order by 1",
      [id],
    );
  // What was carried is recorded after the link was parked.
  const recorded = async () => (await carried()).every(({ at }) => at !== null && at > moment);
  await expect.poll(recorded, { timeout: 10_000 }).toBe(true);
  // What no sweep has taken yet would wake the link once more.
  await sql(url, "delete from tenantry.catalog_changes");
  const before = await carried();
  await erase(user);
  expect(await carried()).toEqual(before);
});

test("rows of the default organization are erased at home", async () => {
  const user = await createUser(app, "Home");
  await sql(
    app.databaseUrl,
    `begin; set local tenantry.viewer = 'operator'; insert into app.invoices (number, created_by) values ('H-1', '${user}'); commit`,
  );
  await erase(user);
  expect(await sql(app.databaseUrl, "select created_by from app.invoices")).toEqual([{ created_by: null }]);
});

test("invitations lose the address, and those that are open are revoked", async () => {
  const user = await createUser(app, "Invited");
  const [before] = await sql<{ email: string }>(app.databaseUrl, "select email from tenantry.users where id = $1", [
    user,
  ]);
  const organization = await createOrganization(app, "Inviting");
  const invite = (email: string, acceptedBy: string | null) =>
    sql(
      app.databaseUrl,
      `insert into tenantry.invitations (id, organization_id, email, role, token_hash, invited_by, expires_at, accepted_by, accepted_at)
       values (gen_random_uuid(), $1, $2::text, 'MEMBER', sha256($2::text::bytea), 'operator', now() + interval '1 day', $3,
               case when $3::uuid is not null then now() end)`,
      [organization, email, acceptedBy],
    );
  await invite("former@example.com", user);
  await invite((before?.email ?? "").toUpperCase(), null);
  await invite("other@example.com", null);
  await erase(user);
  const erased = `erased-${user}@invalid`;
  expect(
    await sql(
      app.databaseUrl,
      `select email, revoked_at is not null as revoked from tenantry.invitations
       where organization_id = $1 order by accepted_at, email`,
      [organization],
    ),
  ).toEqual([
    { email: erased, revoked: false },
    { email: erased, revoked: true },
    { email: "other@example.com", revoked: false },
  ]);
});

test("each row is read twice, however many there are", async () => {
  const { url, organization, write } = await place("eu", "DEDICATED");
  const invoice = await write("A-1", newId());
  const readBy = async (count: number) => {
    const user = await createUser(app, "Big");
    await sql(
      url,
      `insert into app.reactions (id, organization_id, invoice_id, user_id)
       select gen_random_uuid(), $1, $2, case when n % 50 = 0 then $3::uuid else gen_random_uuid() end from generate_series(1, $4) n
       on conflict do nothing`,
      [organization, invoice, user, count],
    );
    const read = async () => {
      const [row] = await sql<{ read: string; rows: string }>(
        url,
        `select (seq_tup_read + idx_tup_fetch) as read, (select count(*) from app.reactions) as rows
         from pg_stat_user_tables where relid = 'app.reactions'::regclass`,
      );
      return { read: Number(row?.read), rows: Number(row?.rows) };
    };
    const before = await read();
    await erase(user);
    // What is counted is told when a session ends.
    const after = await eventually(async () => {
      const now = await read();
      return now.read - before.read >= 2 * now.rows ? now : undefined;
    });
    return ((after?.read ?? 0) - before.read) / (after?.rows ?? 1);
  };
  // The test's own counts read each row too.
  const [small, big] = [await readBy(1_000), await readBy(30_000)];
  expect(big / small).toBeLessThan(1.5);
});

test("a database where erase.sql fails does not hold the others back, and is done when it no longer fails", async () => {
  const [broken, sound] = [await place("eu", "DEDICATED"), await place("eu", "DEDICATED")];
  const user = await createUser(app, "Late");
  await broken.write("A-1", user);
  await sound.write("A-1", user);
  await sql(broken.url, "alter table app.attachments rename to moved");
  const { eraseUser } = await app.ask(ERASE, { id: user });
  expect(eraseUser.complete).toBe(false);
  expect(eraseUser.pending).toHaveLength(1);
  expect((await sound.rows())[0]?.["created_by"]).toBeNull();
  expect(await sql(broken.url, "select created_by from app.invoices")).toEqual([{ created_by: user }]);
  const job = (await jobsOf(user)).find(({ subject }) => subject.endsWith("region:eu"));
  expect(job).toMatchObject({ state: "WAITING", result: { due: 1, pending: [new URL(broken.url).pathname.slice(1)] } });
  expect(job?.last_error).toContain("It is not done in 1 of the region's databases");
  expect(job?.last_error).toContain('relation "app.attachments" does not exist');
  await sql(broken.url, "alter table app.moved rename to attachments");
  await erase(user);
  expect((await broken.rows())[0]?.["created_by"]).toBeNull();
}, 60_000);

test("a program without an erase.sql does not do what one with it has asked for", async () => {
  const user = await createUser(app, "Waits");
  const lacking = await startApp({ tenantSchema: invoicesWith() });
  try {
    const theirs = await createUser(lacking, "Theirs");
    await requestErasure(lacking.services.home, {
      userId: theirs,
      requestedBy: "operator",
      eraseSql: readEraseSql("db/erase.sql", "select 1"),
    });
    const refused = () =>
      sql<{ last_error: string | null }>(
        lacking.databaseUrl,
        "select last_error from tenantry.jobs where kind = 'erase-user'",
      );
    await expect.poll(async () => (await refused())[0]?.last_error, { timeout: 10_000 }).toContain("has none");
  } finally {
    await lacking.stop();
  }
  await erase(user);
});

test("the app that ships loses authors and makers, also in the catalog, and keeps what they wrote", async () => {
  const shipped = await startApp();
  try {
    await registerRegion(shipped, "eu", serverUrl("eu"));
    const user = await createUser(shipped, "Author");
    for (const isolation of ["DEDICATED", "SHARED"] as const) {
      const organization = await createOrganization(shipped, "Shipped", user);
      await grant(shipped, organization, "eu", isolation);
      const resource = await createResource(shipped, { name: "Kept", organizationId: organization }, user);
      await comment(shipped, resource, user, "Kept");
    }
    expect(await sql(shipped.databaseUrl, "select from catalog.resources where created_by = $1", [user])).toHaveLength(
      2,
    );
    expect((await shipped.ask(ERASE, { id: user })).eraseUser.complete).toBe(true);
    expect(await sql(shipped.databaseUrl, "select created_by from catalog.resources")).toEqual([
      { created_by: null },
      { created_by: null },
    ]);
    const { resources } = await shipped.ask(
      "{ resources { edges { node { createdBy { id } comments { edges { node { body author { id } } } } } } } }",
    );
    const expected = { createdBy: null, comments: { edges: [{ node: { body: "Kept", author: null } }] } };
    expect(resources.edges.map(({ node }: any) => node)).toEqual([expected, expected]);
  } finally {
    await shipped.stop();
  }
});
