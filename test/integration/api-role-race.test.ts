/** Several that make the API's role on one server at the same moment, as the parts of a process and several processes do. */
import { expect, test } from "vitest";
import { ensureApiRole } from "../../src/engine/regions/api-role.ts";
import { sql, startApp } from "../support/app.ts";

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
