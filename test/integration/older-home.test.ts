/** A home that was made by a version before 0.2, of which nothing is read. */
import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { serverUrl, sql, startApp } from "../support/app.ts";

test("a home of a version before 0.2 is refused with a sentence, and nothing of it changes", async () => {
  const name = `home_${randomBytes(6).toString("hex")}`;
  await sql(`${serverUrl("home")}/postgres`, `create database ${name}`);
  const databaseUrl = `${serverUrl("home")}/${name}`;
  await sql(
    databaseUrl,
    `create schema tenantry;
     create table tenantry.migrations (version int primary key, name text not null, checksum text not null);
     insert into tenantry.migrations values (1, 'directory', 'none')`,
  );
  await expect(startApp({ databaseUrl, role: "api" })).rejects.toMatchObject({
    code: "CONFLICT",
    message:
      "This database was made by a version of Tenantry before 0.2, which was never released: start with an empty database or data folder.",
  });
  expect(
    await sql(
      databaseUrl,
      "select relname as name from pg_class where relnamespace = 'tenantry'::regnamespace and relkind = 'r'",
    ),
  ).toEqual([{ name: "migrations" }]);
});
