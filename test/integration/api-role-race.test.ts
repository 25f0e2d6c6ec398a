/** Several that make the API's role on one server at the same moment, as the parts of a process and several processes do. */
import pg from "pg";
import { expect, test } from "vitest";
import { PINNED } from "../../src/base/postgres/pinned-settings.ts";
import { ensureApiRole } from "../../src/engine/regions/api-role.ts";
import { serverUrl, sql, startApp } from "../support/app.ts";
import { eventually } from "../support/journey.ts";

test("the API's role is made by several at once, and none of them is refused", async () => {
  const app = await startApp();
  const { pools, apiRole, home: server, homeAddress: address, homeSystemIdentifier: systemIdentifier } = app.services;
  const database = app.services.homeDatabaseName;
  for (let round = 0; round < 5; round += 1) {
    await sql(app.databaseUrl, `alter role ${apiRole.name} password null`);
    await sql(app.databaseUrl, `alter role ${apiRole.name} reset all`);
    apiRole.seenOn.clear();
    const made = Array.from({ length: 6 }, () =>
      ensureApiRole(pools, apiRole, { server, address, systemIdentifier, database }),
    );
    expect((await Promise.all(made)).filter((refusal) => refusal !== undefined)).toEqual([]);
  }
  await app.stop();
});

test("whoever changes the role from another database of the server keeps it from none of its settings", async () => {
  const app = await startApp();
  const { pools, apiRole, home: server, homeAddress: address, homeSystemIdentifier: systemIdentifier } = app.services;
  const database = app.services.homeDatabaseName;
  const postgres = `${serverUrl("home")}/postgres`;
  await sql(postgres, `alter role ${apiRole.name} reset all`);
  const rival = new pg.Client({ connectionString: postgres });
  await rival.connect();
  const lock = `${apiRole.name}_lock`;
  await rival.query(`begin; create role ${lock}; drop role ${lock}; alter role ${apiRole.name} set work_mem = '5MB'`);
  apiRole.seenOn.clear();
  const ensured = ensureApiRole(pools, apiRole, { server, address, systemIdentifier, database });
  const waiting = () =>
    sql(
      postgres,
      "select from pg_stat_activity where wait_event_type = 'Lock' and query like '%tenantry: api_role.keep%'",
    );
  expect(await eventually(async () => (await waiting()).length === 1)).toBe(true);
  await rival.query("commit");
  await rival.end();
  expect(await ensured).toBeUndefined();
  const [row] = await sql<{ settings: string[] }>(
    postgres,
    "select setconfig as settings from pg_db_role_setting where setdatabase = 0 and setrole = $1::regrole",
    [apiRole.name],
  );
  const pinned = Object.entries(PINNED).map(([name, value]) => `${name}=${value}`);
  expect(row?.settings).toEqual(expect.arrayContaining(pinned));
  expect(await sql(postgres, "select from pg_roles where rolname = $1", [lock])).toEqual([]);
  await app.stop();
});
