/** A real Prometheus scrapes two processes, with the rules that are deployed: a region that is killed makes an alert's expression true. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { serverUrl, startApp, type TestApp } from "../support/app.ts";
import { createOrganization, grant, registerRegion } from "../support/journey.ts";
import { type Prometheus, startPrometheus } from "../support/prometheus.ts";
import { type OwnServer, startServer } from "../support/servers.ts";

const RULES = join(import.meta.dirname, "../../deploy/prometheus/rules.yaml");
type Rules = { groups: { rules: { alert: string; expr: string }[] }[] };
const rules = (parse(readFileSync(RULES, "utf8")) as Rules).groups.flatMap((group) => group.rules);
const expressionOf = (alert: string) => rules.find((rule) => rule.alert === alert)?.expr ?? "";

/** From the server's end until the alert's expression is true. */
const WITHIN = { timeout: 30_000, interval: 100 };

const stack = new AsyncDisposableStack();
let region: OwnServer;
let app: TestApp;
let prometheus: Prometheus;

beforeAll(async () => {
  region = stack.use(await startServer());
  const metricsListen = { host: "127.0.0.1", port: 0 };
  app = await startApp({ metricsListen });
  stack.defer(() => app.stop());
  const { databaseUrl, secretKey } = app;
  const second = await startApp({ role: "api", databaseUrl, secretKey, metricsListen });
  stack.defer(() => second.stop());
  await registerRegion(app, "eu", serverUrl("eu"));
  await registerRegion(app, "mine", region.url());
  await grant(app, await createOrganization(app, "Watched"), "mine");
  const targets = [app, second].map(({ metricsUrl = "" }) => new URL(metricsUrl).host);
  prometheus = stack.use(await startPrometheus(targets));
}, 90_000);
afterAll(() => stack.disposeAsync());

const seconds = (one: { value: [number, string] }[]) => one.map(({ value }) => Number(value[1]));

test("both processes are scraped, and their figures of the installation are the same", async () => {
  await expect.poll(async () => seconds(await prometheus.query('up{job="tenantry"}')), WITHIN).toEqual([1, 1]);
  await expect
    .poll(async () => seconds(await prometheus.query('tenantry_server_up{server="mine"}')), WITHIN)
    .toEqual([1, 1]);
  const placements = await prometheus.query('tenantry_placements{region="mine", state="ACTIVE"}');
  expect(seconds(placements)).toEqual([1, 1]);
  expect(await prometheus.faultsOfTargets()).toEqual(["", ""]);
});

test("every rule is loaded and evaluated without an error", async () => {
  const unwell = async () => (await prometheus.rules()).filter(({ health }) => health !== "ok");
  await expect.poll(unwell, WITHIN).toEqual([]);
  expect((await prometheus.rules()).length).toBe(rules.length);
});

test("a region that is killed makes the alert's expression true in 30 s, and the alert goes with the outage", async () => {
  const expression = expressionOf("TenantryRegionDown");
  expect(await prometheus.query(expression)).toEqual([]);
  await region.server.kill();
  await expect
    .poll(async () => (await prometheus.query(expression)).map(({ metric }) => metric["server"]), WITHIN)
    .toEqual(["mine"]);
  await expect
    .poll(async () => (await prometheus.alerts()).find(({ name }) => name === "TenantryRegionDown"), WITHIN)
    .toMatchObject({ labels: { server: "mine", severity: "critical" } });
  await region.server.start();
  await expect.poll(() => prometheus.query(expression), WITHIN).toEqual([]);
}, 120_000);
