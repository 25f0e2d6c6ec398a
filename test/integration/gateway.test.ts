/** The gateway between two servers, without the rest of the program: what it lets through, what not, and what it bounds. */
import net from "node:net";
import { expect, test } from "vitest";
import { message, cString, int32 } from "../../src/engine/border/protocol/wire.ts";
import { serverUrl } from "../support/app.ts";
import { eventually } from "../support/journey.ts";
import { startLoneLink } from "../support/gateway.ts";

const start = (options = {}) => startLoneLink(serverUrl("eu"), serverUrl("home"), options);
type Link = Awaited<ReturnType<typeof start>>;

const names = async (link: Link) =>
  (await link.subscriber("select name from tenantry_inbox.things order by id")).map(({ name }) => name);

test("rows pass under the subscriber's name of their table, and are counted", async () => {
  await using link = await start();
  await link.subscribe();
  await link.publisher(
    "insert into tenantry.things values (1, 1, 'one'), (1, 2, 'two'), (2, 3, 'of another database')",
  );
  await eventually(async () => (await names(link)).length === 2);
  await link.publisher("update tenantry.things set name = 'eins' where id = 1");
  await link.publisher("delete from tenantry.things where id = 2");
  await eventually(async () => String(await names(link)) === "eins");
  expect(await names(link)).toEqual(["eins"]);
  expect(link.rowsCrossed.get("things")).toBe(4);
  expect(link.refusals).toEqual([]);
});

test("a large transaction passes, also where it is sent before its end", async () => {
  await using link = await start({ direction: "directory" });
  await link.subscribe(undefined, ", streaming = on");
  await link.publisher(
    `do $$ begin execute format('alter database %I set logical_decoding_work_mem = ''64kB''', current_database()); end $$`,
  );
  await link.publisher("insert into tenantry.things select 1, n, repeat('x', 500) from generate_series(1, 20000) n");
  await eventually(async () => (await names(link)).length === 20_000, 20_000);
  expect((await names(link)).length).toBe(20_000);
  expect(link.breaches).toEqual([]);
});

test("a gateway that ends in the middle of a stream loses nothing and doubles nothing: the next one goes on", async () => {
  await using link = await start();
  await link.subscribe();
  const count = 30_000;
  const written = link.publisher(
    `do $$ begin for n in 1..30 loop
       insert into tenantry.things select 1, n * 1000 + m, 'a row' from generate_series(1, 1000) m;
       commit;
     end loop; end $$`,
  );
  for (const part of [2_000, 8_000]) {
    await eventually(async () => (await names(link)).length >= part);
    await link.replaceGateway();
  }
  await written;
  await eventually(async () => (await names(link)).length >= count, 20_000);
  expect((await names(link)).length).toBe(count);
  expect(link.refusals).toEqual([]);
});

test.each([
  [
    "a second table",
    "alter publication NAME add table tenantry.secrets",
    "insert into tenantry.secrets values (1, 'x')",
    "table-not-listed",
  ],
  [
    "a second column",
    "alter table tenantry.things add column more text; alter publication NAME set table tenantry.things",
    "insert into tenantry.things values (1, 7, 'seven', 'more')",
    "column-not-listed",
  ],
  [
    "TRUNCATE",
    "alter publication NAME set (publish = 'insert, update, delete, truncate')",
    "truncate tenantry.things",
    "truncate",
  ],
])("%s ends the stream and is told as an attempt", async (_, widen, write, code) => {
  await using link = await start();
  await link.subscribe();
  await link.publisher("insert into tenantry.things values (1, 1, 'one')");
  await eventually(async () => (await names(link)).length === 1);
  for (const statement of widen.split(";")) await link.publisher(statement.replaceAll("NAME", link.name));
  await link.publisher(write);
  await eventually(async () => link.breaches.length > 0);
  expect(link.refusals.map((refusal) => refusal.code)).toContain(code);
  expect(link.refusals[0]).toMatchObject({ databaseId: 1, direction: "catalog", address: "127.0.0.1" });
  expect(await names(link)).toEqual(["one"]);
  expect(await link.subscriber("select * from tenantry.secrets")).toEqual([]);
});

test("a wrong password, a name that there is not, and another stream are refused", async () => {
  await using link = await start();
  const subscribe = (connection: string) => link.subscribe(connection);
  await expect(subscribe(link.connection({ password: "wrong" }))).rejects.toThrow(/password authentication failed/);
  await expect(subscribe(link.connection({ user: "postgres" }))).rejects.toThrow(/password authentication failed/);
  expect(link.refusals.map(({ code }) => code)).toEqual(["wrong-password", "unknown-user"]);
});

test("a subscription of a role that is no superuser signs in with its password, which is really asked for", async () => {
  await using link = await start();
  const [{ version } = { version: 0 }] = await link.subscriber(
    "select current_setting('server_version_num')::int as version",
  );
  if (Number(version) < 160_000) return;
  const role = `role_${link.name}`;
  await link.subscriber(`create role ${role} login; grant pg_create_subscription to ${role};
    do $$ begin execute format('grant create on database %I to ${role}', current_database()); end $$;
    alter table tenantry_inbox.things owner to ${role}; grant usage on schema tenantry_inbox to ${role}`);
  await link.subscriber(
    `set role ${role}; create subscription ${link.name} connection '${link.connection().replaceAll("'", "''")}' publication ${link.name}
       with (create_slot = false, slot_name = '${link.name}', copy_data = false)`,
  );
  await link.publisher("insert into tenantry.things values (1, 1, 'one')");
  await eventually(async () => (await names(link)).length === 1);
  expect(await names(link)).toEqual(["one"]);
});

/** Speaks the protocol by hand, signed in as the link. */
async function converse(link: Link, ...queries: string[]): Promise<string> {
  const { ScramClient } = await import("../support/scram-client.ts");
  const socket = net.connect(link.gateway.port, "127.0.0.1");
  const client = new ScramClient(socket, link.name, /password='([^']*)'/.exec(link.connection())?.[1] ?? "");
  try {
    await client.signIn({ replication: "database" });
    let said = "";
    for (const query of queries) said += await client.query(query);
    return said;
  } finally {
    socket.destroy();
  }
}

test.each([
  ["SQL", "select * from pg_authid"],
  ["a base backup", "BASE_BACKUP"],
  ["physical replication", "START_REPLICATION PHYSICAL 0/0"],
  ["another slot", `START_REPLICATION SLOT "other" LOGICAL 0/0 (proto_version '1', publication_names '"other"')`],
  ["another publication", `START_REPLICATION SLOT "NAME" LOGICAL 0/0 (proto_version '1', publication_names '"other"')`],
  [
    "two publications",
    `START_REPLICATION SLOT "NAME" LOGICAL 0/0 (proto_version '1', publication_names '"NAME","other"')`,
  ],
  [
    "messages",
    `START_REPLICATION SLOT "NAME" LOGICAL 0/0 (proto_version '1', messages 'true', publication_names '"NAME"')`,
  ],
  [
    "binary values",
    `START_REPLICATION SLOT "NAME" LOGICAL 0/0 (proto_version '1', binary 'true', publication_names '"NAME"')`,
  ],
  ["a slot of its own", "CREATE_REPLICATION_SLOT x LOGICAL pgoutput"],
  ["dropping a slot", "DROP_REPLICATION_SLOT NAME"],
  ["two statements in one", "IDENTIFY_SYSTEM; select 1"],
])("%s is refused to the link's own credential", async (_, query) => {
  await using link = await start();
  const said = await converse(link, query.replaceAll("NAME", link.name));
  expect(said).toMatch(/^E.*42501/);
  expect(link.refusals.map(({ code }) => code)).toEqual(["not-allowed-command"]);
});

test("what a subscriber may learn of the publisher's server is nothing", async () => {
  await using link = await start();
  const said = await converse(link, "IDENTIFY_SYSTEM");
  const [{ id } = { id: "" }] = await link.publisher("select system_identifier::text as id from pg_control_system()");
  expect(said).toContain("systemid");
  expect(said).not.toContain(String(id));
});

test("TLS is taken with a certificate of one's own and verified by the subscriber; the clear is refused then", async () => {
  const { createAuthority } = await import("../support/certificates.ts");
  const authority = createAuthority("gateway");
  const certificate = authority.certify(["IP:127.0.0.1"]);
  await using link = await start({ certificate });
  await expect(link.subscribe()).rejects.toThrow(/takes TLS connections only/);
  const strange = createAuthority("another");
  const verified = (sslrootcert: string) => link.connection({ parameters: { sslmode: "verify-full", sslrootcert } });
  await expect(link.subscribe(verified(strange.rootFile))).rejects.toThrow(/certificate verify failed/);
  await link.subscribe(verified(authority.rootFile));
  await link.publisher("insert into tenantry.things values (1, 1, 'one')");
  await eventually(async () => (await names(link)).length === 1);
  expect(await names(link)).toEqual(["one"]);
});

test("what is no subscriber's message ends the connection, whatever it is", async () => {
  await using link = await start();
  const replies = await Promise.all(
    [
      Buffer.from("GET / HTTP/1.1\r\n\r\n"),
      Buffer.from([0, 0, 0, 3]),
      Buffer.from([0x7f, 0xff, 0xff, 0xff, 0, 3, 0, 0]),
      Buffer.concat([int32(9), int32(196_608), Buffer.from([0])]),
      Buffer.concat([int32(8), int32(80_877_102)]),
      message("Q", cString("select 1")),
    ].map(async (bytes) => {
      const socket = net.connect(link.gateway.port, "127.0.0.1");
      socket.on("error", () => undefined);
      socket.write(bytes);
      await new Promise((resolve) => socket.once("close", resolve).resume());
      return true;
    }),
  );
  expect(replies.every(Boolean)).toBe(true);
  await link.subscribe();
});

test("a connection that says nothing is ended, and many of them keep nobody with a password out", async () => {
  await using link = await start({ limits: { beginMs: 300, maxStrangersPerAddress: 5 } });
  const silent = Array.from({ length: 10 }, () => net.connect(link.gateway.port, "127.0.0.1"));
  const closed = Promise.all(
    silent.map(
      (socket) =>
        new Promise((resolve) =>
          socket
            .on("error", () => undefined)
            .once("close", resolve)
            .resume(),
        ),
    ),
  );
  await closed;
  expect(link.refusals.some(({ code }) => code === "too-many")).toBe(true);
  await link.subscribe();
  expect(link.gateway.connections).toBeLessThanOrEqual(1);
});

test("wrong passwords without end do not keep the right one out, and their answers come slowly", async () => {
  await using link = await start();
  const attempt = () =>
    link.subscribe(link.connection({ password: "wrong" })).then(
      () => "let in",
      () => "refused",
    );
  const outcomes = await Promise.all(Array.from({ length: 25 }, attempt));
  expect(new Set(outcomes)).toEqual(new Set(["refused"]));
  await link.subscribe();
});

test("one credential takes few connections and fewer of the publisher's walsenders, and gives them back", async () => {
  await using link = await start({ limits: { maxConnectionsPerLink: 4, maxPublishersPerLink: 2 } });
  const password = /password='([^']*)'/.exec(link.connection())?.[1] ?? "";
  const { ScramClient } = await import("../support/scram-client.ts");
  const sockets = Array.from({ length: 6 }, () => net.connect(link.gateway.port, "127.0.0.1"));
  const clients = sockets.map((socket) => new ScramClient(socket, link.name, password));
  await Promise.all(clients.map((client) => client.signIn({ replication: "database" })));
  expect(link.refusals.map(({ code }) => code)).toEqual(["too-many", "too-many"]);
  await Promise.all(clients.map((client) => client.query("IDENTIFY_SYSTEM")));
  // Of those that are about to stream a newer one ends the oldest.
  expect(await eventually(async () => link.gateway.connections === 2)).toBe(true);
  const walsenders = () =>
    link.publisher("select from pg_stat_activity where backend_type = 'walsender' and datname = current_database()");
  expect(await eventually(async () => (await walsenders()).length <= 2)).toBe(true);
  for (const socket of sockets) socket.destroy();
  expect(await eventually(async () => (await walsenders()).length === 0)).toBe(true);
  await link.subscribe();
  await link.publisher("insert into tenantry.things values (1, 1, 'one')");
  expect(await eventually(async () => (await names(link)).length === 1)).toBe(true);
});

test("the streams of one region wait for each other where they have all that it may have of home", async () => {
  await using link = await start({ direction: "directory", limits: { maxStreamsOfHomePerRegion: 1 } });
  const password = /password='([^']*)'/.exec(link.connection())?.[1] ?? "";
  const { ScramClient } = await import("../support/scram-client.ts");
  const socket = net.connect(link.gateway.port, "127.0.0.1");
  const client = new ScramClient(socket, link.name, password);
  await client.signIn({ replication: "database" });
  await client.query("IDENTIFY_SYSTEM");
  await link.subscribe();
  await link.publisher("insert into tenantry.things values (1, 1, 'one')");
  expect(await eventually(async () => link.gateway.connections === 2)).toBe(true);
  const walsenders = () =>
    link.publisher("select from pg_stat_activity where backend_type = 'walsender' and datname = current_database()");
  expect((await walsenders()).length).toBe(1);
  expect(await names(link)).toEqual([]);
  socket.destroy();
  expect(await eventually(async () => (await names(link)).length === 1)).toBe(true);
  expect(link.refusals).toEqual([]);
});

test("a subscriber that takes nothing is hung up on, and holds no more than a bounded part in memory", async () => {
  await using link = await start({ limits: { stallMs: 500 } });
  const { ScramClient } = await import("../support/scram-client.ts");
  const socket = net.connect(link.gateway.port, "127.0.0.1");
  const client = new ScramClient(socket, link.name, /password='([^']*)'/.exec(link.connection())?.[1] ?? "");
  await client.signIn({ replication: "database" });
  await link.publisher("insert into tenantry.things select 1, n, repeat('x', 4000) from generate_series(1, 10000) n");
  const before = process.memoryUsage().external;
  socket.write(
    message(
      "Q",
      `START_REPLICATION SLOT "${link.name}" LOGICAL 0/0 (proto_version '1', publication_names '"${link.name}"')`,
    ),
  );
  // Nothing is read from here on.
  socket.pause();
  await eventually(async () => link.gateway.connections === 1);
  await eventually(async () => link.gateway.connections === 0, 15_000);
  expect(link.gateway.connections).toBe(0);
  expect(process.memoryUsage().external - before).toBeLessThan(30_000_000);
  socket.destroy();
});
