/** What listens sends nothing by which a dead connection would be noticed: so it proves that it hears. */
import { expect, test, vi } from "vitest";
import { compareClocks, forgetClock } from "../../src/base/kernel/clock.ts";
import { newId } from "../../src/base/kernel/ids.ts";
import { parseDatabaseUrl } from "../../src/base/postgres/connection-url.ts";
import { Listener } from "../../src/base/postgres/listener.ts";
import { Pools } from "../../src/base/postgres/pools.ts";
import { serverUrl, sql, startApp } from "../support/app.ts";
import { startForwarder, viaPort } from "../support/forwarder.ts";
import { createOrganization, createResource, eventually, grant, registerRegion } from "../support/journey.ts";

const QUICK = { beatMs: 100, answerMs: 500 };

test.each(["both", "answers", "forgotten"] as const)(
  "a listener whose connection is dead without a word says so, listens anew and hears: %s",
  async (how) => {
    await using stack = new AsyncDisposableStack();
    const url = `${serverUrl("home")}/postgres`;
    const forwarder = stack.use(await startForwarder(url));
    const pools = new Pools(() => undefined);
    stack.defer(() => pools.close());
    const { address, database } = parseDatabaseUrl(viaPort(url, forwarder.port), "url");
    const listener = new Listener(pools.open("home", address, database), () => undefined, QUICK);
    const hearing: boolean[] = [];
    listener.onHearing((isHearing) => hearing.push(isHearing));
    const heard: string[] = [];
    await listener.on("listening_test", (payload) => heard.push(payload));
    await listener.start();
    stack.defer(() => listener.close());
    expect(hearing).toEqual([false, true]);
    await sql(url, "select pg_notify('listening_test', 'one')");
    await expect.poll(() => heard).toEqual(["one"]);

    const hole = how === "forgotten" ? undefined : forwarder.swallow(how);
    if (how === "forgotten") forwarder.forget();
    await expect.poll(() => hearing.slice(2), { timeout: 10_000 }).toContain(false);
    hole?.[Symbol.dispose]();
    await expect.poll(() => hearing.at(-1), { timeout: 15_000 }).toBe(true);
    // Something may have been missed.
    expect(heard).toContain("");
    await sql(url, "select pg_notify('listening_test', 'two')");
    await expect.poll(() => heard).toContain("two");
  },
);

test("a placement that is revoked while a process listens to a dead connection is soon refused there", async () => {
  await using stack = new AsyncDisposableStack();
  const forwarder = stack.use(await startForwarder(serverUrl("home")));
  const app = await startApp({ homeServer: viaPort(serverUrl("home"), forwarder.port), listening: QUICK });
  stack.defer(() => app.stop());
  await registerRegion(app, "eu", serverUrl("eu"));
  const organizationId = await createOrganization(app);
  const { id } = await grant(app, organizationId, "eu");
  const resource = await createResource(app, { name: "Seen", organizationId, regionKey: "eu" });
  const read = "query ($id: ID!) { resource(id: $id) { name } }";
  expect((await app.ask(read, { id: resource })).resource.name).toBe("Seen");
  const direct = `${serverUrl("home")}${new URL(app.databaseUrl).pathname}`;
  const listening = await sql<{ port: number }>(
    direct,
    `select client_port as port from pg_stat_activity
     where datname = current_database() and query like '%tenantry: listen%'`,
  );
  expect(forwarder.forget(listening.map(({ port }) => port))).toBe(1);
  await sql(direct, "update tenantry.placements set state = 'SUSPENDED' where id = $1", [id]);
  const isRefused = async () => (await app.refuse(read, { id: resource }).catch(() => undefined))?.code === "CONFLICT";
  expect(await eventually(isRefused)).toBe(true);
});

test("a process whose clock is an hour off makes ids by home's clock as soon as it listens", async () => {
  await using stack = new AsyncDisposableStack();
  const pools = new Pools(() => undefined);
  stack.defer(() => pools.close());
  const { address, database } = parseDatabaseUrl(`${serverUrl("home")}/postgres`, "url");
  const home = pools.open("home", address, database);
  const hour = 3_600_000;
  const wrong = Date.now() + hour;
  vi.spyOn(Date, "now").mockReturnValue(wrong);
  forgetClock();
  const timeOf = (id: string) => Number.parseInt(id.replaceAll("-", "").slice(0, 12), 16);
  expect(timeOf(newId())).toBe(wrong);
  const listener = new Listener(home, () => undefined, { hearClock: compareClocks });
  await listener.start();
  stack.defer(() => listener.close());
  expect(timeOf(newId())).toBeLessThan(wrong - hour / 2);
});
