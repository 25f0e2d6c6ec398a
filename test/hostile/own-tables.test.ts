/**
 * A region's superuser against a team's own tables (examples/invoices): what may pass and what home takes was made from the
 * declarations of its migrations. With the gateway's check, and without it, so that home's guard stands alone.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newRoutedId } from "../../src/base/kernel/ids.ts";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { applyErrors, catalogOf, dropSlot, haltedApplying, nudge, refusedAlone } from "../support/hostile-acts.ts";
import { until } from "../support/hostile-region.ts";
import { INVOICES_APP } from "../support/invoices.ts";
import { createOrganization, grant, registerRegion } from "../support/journey.ts";
import { routedIdSql } from "../support/routed-id.ts";

const COLUMNS = "database_id, id, organization_id, number";

type Placed = { organization: string; database: string; databaseId: number; number: number; invoice: string };
type Scene = {
  app: TestApp;
  home: <Row extends object = any>(text: string, values?: unknown[]) => Promise<Row[]>;
  /** The database of `mine`, as its server's superuser. */
  eu: <Row extends object = any>(text: string, values?: unknown[]) => Promise<Row[]>;
  mine: Placed;
  /** Others in the attacked region, by itself and in its shared database, and in another one. */
  others: readonly Placed[];
};

type Attack = {
  what: string;
  /** What the gateway calls it; undefined: it reads names and forms, and there is nothing wrong with those. */
  refusedAs: string | undefined;
  /** Whether home's server cannot apply it where the gateway lets it through. Else it goes by. */
  halts: boolean;
  strike: (scene: Scene) => Promise<unknown>;
};

const ATTACKS: readonly Attack[] = [
  {
    what: "a column is published that stays in the region",
    refusedAs: "column-not-listed",
    halts: true,
    strike: async ({ eu, mine }) => {
      await eu(`alter publication ${catalogOf(mine)} set table app.invoices (${COLUMNS}, total_cents)`);
      await eu("update app.invoices set total_cents = 1");
    },
  },
  {
    what: "tables are published that stay in the region, and that home has for its own rows",
    refusedAs: "table-not-listed",
    halts: false,
    strike: async ({ eu, mine }) => {
      await eu(`alter publication ${catalogOf(mine)} add table app.lines, app.attachments`);
      await eu(
        `insert into app.lines (database_id, id, organization_id, invoice_id, text, cents)
         values ($1, ${routedIdSql(mine.number)}, $2, $3, 'FORGED', 1)`,
        [mine.databaseId, mine.organization, mine.invoice],
      );
      await eu("update app.lines set text = 'FORGED AGAIN'");
      await eu("delete from app.lines");
    },
  },
  {
    what: "rows of other tenants, of other databases and of home are sent, changed and deleted",
    refusedAs: undefined,
    halts: false,
    strike: async (scene) => {
      const { eu, mine, others } = scene;
      await takeGuardsOff(scene);
      const insert = `insert into app.invoices (${COLUMNS}) values ($1, $2, $3, 'FORGED')`;
      for (const { databaseId, organization, number, invoice } of others) {
        await eu(insert, [databaseId, newRoutedId(number), organization]);
        await eu(insert, [databaseId, invoice, organization]);
        await eu(insert, [mine.databaseId, newRoutedId(number), organization]);
        await eu(insert, [mine.databaseId, newRoutedId(mine.number), organization]);
        await eu("update app.invoices set number = 'FORGED-AGAIN' where id = $1", [invoice]);
        await eu("update app.invoices set database_id = 0 where id = $1", [invoice]);
        await eu("delete from app.invoices where id = $1", [invoice]);
      }
      await eu(insert, [0, newRoutedId(0), mine.organization]);
      await eu(insert, [-1, newRoutedId(0), mine.organization]);
      await eu("delete from app.invoices where number ~ '^FORGED'");
    },
  },
  {
    what: "a number is sent that the table's rule forbids",
    refusedAs: undefined,
    halts: false,
    strike: async (scene) => {
      await takeGuardsOff(scene);
      for (const number of [`E'\\u202e'`, "repeat('X', 1000000)", "'no number'", "''"])
        await scene.eu(
          `insert into app.invoices (${COLUMNS}) values ($1, ${routedIdSql(scene.mine.number)}, $2, ${number})`,
          [scene.mine.databaseId, scene.mine.organization],
        );
    },
  },
  {
    what: "TRUNCATE is published",
    refusedAs: "truncate",
    halts: true,
    strike: async (scene) => {
      await takeGuardsOff(scene);
      await scene.eu(`alter publication ${catalogOf(scene.mine)} set (publish = 'insert, update, delete, truncate')`);
      await scene.eu("truncate app.invoices cascade");
    },
  },
];

/** What the region's server can have in its rows, or make of them, while they are copied because a link is made anew. */
const SEEDS: readonly {
  what: string;
  prepare: (scene: Scene) => Promise<unknown>;
  undo: (scene: Scene) => Promise<unknown>;
}[] = [
  {
    what: "rows of others stand in the table",
    prepare: async (scene) => {
      const { eu, mine, others } = scene;
      await takeGuardsOff(scene);
      const insert = `insert into app.invoices (${COLUMNS}) values ($1, $2, $3, 'FORGED')`;
      for (const { databaseId, organization, number, invoice } of others) {
        await eu(insert, [databaseId, newRoutedId(number), organization]);
        await eu(insert, [mine.databaseId, invoice, organization]);
        await eu(insert, [mine.databaseId, newRoutedId(mine.number), organization]);
      }
      await eu(insert, [0, newRoutedId(0), mine.organization]);
    },
    undo: ({ eu }) => eu("delete from app.invoices where number = 'FORGED'"),
  },
  {
    what: "a function among PostgreSQL's own gives rows of others for each row",
    prepare: ({ eu, mine, others }) => {
      const rows = others.flatMap(({ databaseId, organization, number, invoice }) => [
        [databaseId, invoice, organization],
        [mine.databaseId, invoice, organization],
        [mine.databaseId, newRoutedId(number), mine.organization],
        [0, newRoutedId(0), organization],
      ]);
      const values = rows.map((row) => `(${row.map((value) => `'${value}'`).join(", ")}, 'FORGED')`).join(", ");
      return eu(`set allow_system_table_mods = on; create function ${ROW_FUNCTION} returns json language plpgsql as $$
        declare n int := floor(random() * ${rows.length}); begin
          return (select json_build_array(variadic array[a, b, c, d]) from (values ${values}) as forged (a, b, c, d) offset n limit 1);
        end $$`);
    },
    undo: ({ eu }) => eu(`set allow_system_table_mods = on; drop function ${ROW_FUNCTION}`),
  },
];

/** It is found before PostgreSQL's own by a statement that makes an array of the table's four columns. */
const ROW_FUNCTION = "pg_catalog.json_build_array(text, text, text, text)";

/** Waits until the rows were copied anew, or that was given up. */
async function copiedAnew(scene: Scene): Promise<void> {
  const { home, mine } = scene;
  const name = catalogOf(mine);
  const [before] = await home<{ oid: number }>("select oid from pg_subscription where subname = $1", [name]);
  const since = new Date();
  await dropSlot(scene);
  await until("the copy was made, or given up", async () => {
    await nudge(scene, mine);
    const rows = await home(
      `select from tenantry.links where database_id = $1 and direction = 'catalog' and failed_at >= $2 and failures > 1
       union all select from pg_subscription where subname = $3 and oid <> $4::oid`,
      [mine.databaseId, since, name, before?.oid ?? 0],
    );
    return rows.length > 0;
  });
}

/** Takes off what stands in the region to keep its rows in order. */
async function takeGuardsOff({ eu, mine }: Scene): Promise<void> {
  for (const trigger of ["own_rows_only", "refuse_truncate"])
    await eu(`drop trigger if exists ${trigger} on app.invoices`);
  await eu("alter table app.invoices drop constraint if exists invoices_number_check");
  await eu(`alter publication ${catalogOf(mine)} set table app.invoices (${COLUMNS})`);
}

/** The publication as the program makes it: what the program does not look at before the link breaks is as it was. */
async function publishHonestly({ eu, mine }: Scene): Promise<void> {
  const name = catalogOf(mine);
  if ((await eu("select from pg_publication where pubname = $1", [name])).length === 0) return;
  await eu(`alter publication ${name} set table app.invoices (${COLUMNS}) where (database_id = ${mine.databaseId})`);
  await eu(`alter publication ${name} set (publish = 'insert, update, delete')`);
}

let count = 0;

/** Writes an honest row by hand, and waits until home has it: then everything before it has been looked at. */
async function sendHonest(scene: Scene): Promise<void> {
  const { eu, home, mine } = scene;
  count += 1;
  const [{ id }] = await eu(
    `insert into app.invoices (${COLUMNS}) values ($1, ${routedIdSql(mine.number)}, $2, $3) returning id`,
    [mine.databaseId, mine.organization, `HONEST-${count}`],
  );
  await until("an honest row is at home", async () => {
    await nudge(scene, mine);
    // While a link is made anew, its copy is there before it is.
    const here = await home(
      "select from catalog.invoices where id = $1 and exists (select from pg_subscription where subname = $2)",
      [id, catalogOf(mine)],
    );
    return here.length > 0;
  });
}

/** All that home has of the app's, but for what `mine` may send. */
async function kept({ home, mine }: Scene): Promise<unknown> {
  const rows = (table: string, where = "") => home(`select to_jsonb(t) as row from ${table} t ${where} order by 1`);
  return {
    own: [await rows("app.invoices"), await rows("app.lines"), await rows("app.attachments")],
    catalog: await rows("catalog.invoices", `where placement_number <> ${mine.number}`),
    inbox: await rows("tenantry_inbox.invoices", `where database_id <> ${mine.databaseId}`),
    // What they may send is right: their own organization's, with numbers that are some.
    wrong: await home(
      "select id from catalog.invoices where placement_number = $1 and (organization_id <> $2 or number !~ '^[0-9A-Z-]{1,40}$')",
      [mine.number, mine.organization],
    ),
    shape: await home(
      `select attrelid::regclass::text, attname from pg_attribute
       where attrelid in ('catalog.invoices'::regclass, 'tenantry_inbox.invoices'::regclass) and attnum > 0 order by 1, 2`,
    ),
  };
}

describe.each([
  { lenient: true, gateway: "home's guard alone" },
  { lenient: false, gateway: "the gateway's check" },
])("with $gateway", ({ lenient }) => {
  let scene: Scene;
  beforeAll(async () => {
    const app = await startApp({
      application: INVOICES_APP,
      gateway: { host: "127.0.0.1", port: 0, lenient },
      replication: {
        sweepIntervalMs: 3_600_000,
        carrier: { idleMs: 10_000, stallMs: 1_500, retryMs: 50, maxRetryMs: 500 },
      },
    });
    await registerRegion(app, "eu", serverUrl("eu"));
    await registerRegion(app, "us", serverUrl("us"));
    const home: Scene["home"] = (text, values) => sql(app.databaseUrl, text, values);
    const place = async (regionKey: string, isolation: "DEDICATED" | "SHARED"): Promise<Placed> => {
      const organization = await createOrganization(app, `Invoices ${regionKey} ${isolation}`);
      const placement = await grant(app, organization, regionKey, isolation);
      expect(placement.state).toBe("ACTIVE");
      const { createInvoice } = await app.ask(
        "mutation ($input: CreateInvoiceInput!) { createInvoice(input: $input) { id } }",
        { input: { organizationId: organization, number: "THEIRS-1" } },
      );
      const [row] = await home('select database_id as "databaseId", number from tenantry.placements where id = $1', [
        placement.id,
      ]);
      return { ...row, organization, database: placement.database, invoice: createInvoice.id };
    };
    const mine = await place("eu", "DEDICATED");
    const others = [await place("eu", "DEDICATED"), await place("eu", "SHARED"), await place("us", "DEDICATED")];
    await home("set tenantry.viewer = 'operator'; insert into app.invoices (number) values ('OF-HOME')");
    scene = { app, home, mine, others, eu: (text, values) => sql(`${serverUrl("eu")}/${mine.database}`, text, values) };
    for (const { invoice } of [mine, ...others])
      await until("the invoice is at home", async () => {
        return (await home("select from catalog.invoices where id = $1", [invoice])).length > 0;
      });
  });
  afterAll(() => scene.app.stop());

  test.each(ATTACKS)("$what: nothing of others changes at home", async ({ refusedAs, halts, strike }) => {
    // The link is awake from here on: what is written goes into the stream at once.
    await sendHonest(scene);
    const [before, since] = [await kept(scene), new Date()];
    const errors = await applyErrors(scene, scene.mine);
    await strike(scene);
    if (!lenient && refusedAs !== undefined) await refusedAlone(scene, since, refusedAs);
    else if (halts) await haltedApplying(scene, errors);
    else await sendHonest(scene);
    expect(await kept(scene)).toEqual(before);
    await publishHonestly(scene);
    // The link mends itself: what is honest arrives again.
    await sendHonest(scene);
    expect(await kept(scene)).toEqual(before);
  });

  test.each(SEEDS)("a copy is made while $what: nothing of others changes at home", async ({ prepare, undo }) => {
    await sendHonest(scene);
    const before = await kept(scene);
    await prepare(scene);
    await copiedAnew(scene);
    expect(await kept(scene)).toEqual(before);
    await undo(scene);
    await publishHonestly(scene);
    await sendHonest(scene);
    expect(await kept(scene)).toEqual(before);
  });
});
