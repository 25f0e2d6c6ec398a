/** What a region's superuser can do with all that their server was told: read their own directory's stream, and nothing else. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sql } from "../support/app.ts";
import { type Credential, converse, readCredentials, takeStream } from "../support/hostile-client.ts";
import { catalogOf } from "../support/hostile-acts.ts";
import { type Stage, type StageServers, startStage, startStageServers, until } from "../support/hostile-region.ts";
import { expectHarmless } from "../support/hostile-snapshot.ts";
import { addMember, createUser } from "../support/journey.ts";

let servers: StageServers;
let stage: Stage;
let credentials: Credential[];
let own: Credential;

beforeAll(async () => {
  servers = await startStageServers();
  stage = await startStage(servers, { method: "SUPERUSER" });
  credentials = await readCredentials(stage);
  const found = credentials.find(({ user }) => user === `${stage.mine.database}_directory`);
  if (found === undefined) throw new Error("the region has no directory link");
  own = found;
});
afterAll(async () => {
  await stage.stop();
  await servers[Symbol.asyncDispose]();
});

test("there is one for each directory, of the gateway, and none of a server", async () => {
  const { port } = new URL(servers.home.url());
  expect(credentials.map(({ user }) => user)).toEqual(
    [stage.mine, stage.sharers[0]].map(({ database }) => `${database}_directory`),
  );
  for (const credential of credentials) expect(credential.port).not.toBe(Number(port));
});

test("home keeps the password of no region in a subscription", async () => {
  const kept = await stage.home<{ conninfo: string }>("select subconninfo as conninfo from pg_subscription");
  expect(kept.length).toBeGreaterThan(0);
  const passwords = [servers.eu, servers.us, servers.home].map((server) => new URL(server.url()).password);
  for (const { conninfo } of kept)
    for (const password of passwords) expect(conninfo).not.toContain(decodeURIComponent(password));
});

describe("signing in", () => {
  const atGateway = (changes: Partial<Credential>, parameters: Record<string, string>) =>
    converse({ ...own, ...changes }, ["select 1"], parameters);

  test.each<[string, (it: { other: string; catalog: string }) => [Partial<Credential>, Record<string, string>]]>([
    ["without replication", () => [{}, {}]],
    ["for physical replication", () => [{}, { replication: "true" }]],
    ["to another database", () => [{}, { database: "postgres" }]],
    ["with settings", () => [{}, { options: "-c session_replication_role=replica" }]],
    ["as another region's link", ({ other }) => [{ user: `${other}_directory` }, { replication: "database" }]],
    ["as the way up of the same database", ({ catalog }) => [{ user: catalog }, { replication: "database" }]],
    [
      "as the link that is there to be tried",
      ({ catalog }) => [{ user: catalog.replace(/\d+_catalog$/, "0_directory") }, { replication: "database" }],
    ],
    ["as home's superuser", () => [{ user: "postgres" }, { replication: "database" }]],
  ])("%s is refused", async (_, make) => {
    const it = { other: stage.other.database, catalog: catalogOf(stage.mine) };
    expect(await atGateway(...make(it))).toMatch(/not signed in/);
  });

  test("at home's own server is refused: there is nobody of that name", async () => {
    const url = new URL(servers.home.url("postgres"));
    for (const { user, password } of credentials) {
      url.username = user;
      url.password = password;
      await expect(sql(url.href, "select 1")).rejects.toThrow(/password authentication failed|does not exist/);
    }
    expect(await stage.home("select from pg_roles where rolname ~ '_(directory|catalog)$'")).toEqual([]);
  });
});

const start = (slot: string, publication = slot, options = "") =>
  `START_REPLICATION SLOT "${slot}" LOGICAL 0/0 (proto_version '1', publication_names '"${publication}"'${options})`;

test.each<[string, (names: { own: string; other: string; shared: string; catalog: string }) => string]>([
  ["SQL", () => "select rolpassword from pg_authid"],
  [
    "the catalog's text form",
    () => "SELECT t.pubname FROM pg_catalog.pg_publication t WHERE t.pubname IN ('x') OR true",
  ],
  ["a base backup", () => "BASE_BACKUP ( LABEL 'x', WAL true )"],
  ["physical replication", () => "START_REPLICATION PHYSICAL 0/0"],
  ["a timeline's history", () => "TIMELINE_HISTORY 1"],
  ["a slot's state", ({ other }) => `READ_REPLICATION_SLOT ${other}`],
  ["a setting", () => "SHOW data_directory"],
  ["a new slot", () => "CREATE_REPLICATION_SLOT mine LOGICAL test_decoding"],
  ["dropping another's slot", ({ other }) => `DROP_REPLICATION_SLOT "${other}"`],
  ["altering its slot", ({ own: name }) => `ALTER_REPLICATION_SLOT "${name}" (FAILOVER true)`],
  ["another region's stream", ({ other }) => start(other)],
  ["another database's stream", ({ shared }) => start(shared)],
  ["the way up", ({ catalog }) => start(catalog)],
  ["its slot with another's publication", ({ own: name, other }) => start(name, other)],
  ["its slot with both publications", ({ own: name, other }) => start(name, `${name}","${other}`)],
  ["another slot by a doubled quote", ({ own: name, other }) => start(`${name}" LOGICAL 0/0 --"${other}`)],
  ["binary values", ({ own: name }) => start(name, name, ", binary 'true'")],
  ["an upload", () => "UPLOAD_MANIFEST"],
])("%s is refused to a link's credential", async (_, make) => {
  const directory = (database: string) => `${database}_directory`;
  const said = await converse(own, [
    make({
      own: own.user,
      other: directory(stage.other.database),
      shared: directory(stage.sharers[0].database),
      catalog: catalogOf(stage.mine),
    }),
  ]);
  expect(said).toMatch(/^E.*42501/);
  for (const secret of stage.secrets) expect(said).not.toContain(secret);
});

test("its own directory's stream is what it can take, and nothing of anybody else is in it", async () => {
  const link = `${stage.mine.database}_directory`;
  await expectHarmless(stage, async () => {
    let said = "";
    // The carrier, too, hears of what is written, and may be the first with it: then there is more to write.
    await until("its stream was taken", async () => {
      // Its own subscription would have the stream.
      await stage.eu(`alter subscription ${link} disable`);
      await until("the stream is free", async () => {
        const slots = await stage.home("select from pg_replication_slots where slot_name = $1 and not active", [link]);
        return slots.length > 0;
      });
      for (const { organization, mark } of [stage.mine, stage.other])
        await stage.home(
          `with made as (
             insert into tenantry.users (id, name, email) values (gen_random_uuid(), $2, gen_random_uuid() || '@example.com') returning id
           ) insert into tenantry.memberships (organization_id, user_id, role) select $1, id, 'MEMBER' from made`,
          [organization, `Later ${mark}`],
        );
      said += await takeStream(own);
      return said.includes(`Later ${stage.mine.mark}`);
    });
    for (const secret of [stage.other.mark, ...stage.secrets]) expect(said).not.toContain(secret);
    await stage.home("delete from tenantry.users where name ~ '^Later '");
    await stage.eu(`alter subscription ${link} enable`);
  });
});

test("who administers the region sees no password of home where sessions and statements are shown", async () => {
  await stage.eu("create extension if not exists pg_stat_statements").catch(() => undefined);
  const user = await createUser(stage.app);
  await addMember(stage.app, stage.mine.organization, user);
  const shown = await stage.eu<{ text: string }>(
    `select coalesce(query, '') || coalesce(usename, '') || application_name as text from pg_stat_activity
     union all select subconninfo from pg_subscription
     union all select prosrc from pg_proc where pronamespace::regnamespace::text ~ '^(tenantry|app$)'`,
  );
  for (const { text } of shown) for (const secret of stage.secrets) expect(text).not.toContain(secret);
});
