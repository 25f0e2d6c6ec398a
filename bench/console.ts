/**
 * How soon the console's overview is there with many placements, in a browser without a cache. The placements are real ones,
 * in the shared databases of three regions. `--placements=1000`, `--looks=7`.
 */
import { parseArgs } from "node:util";
import type { BrowserContext } from "playwright-core";
import { openBrowser } from "../test/support/browser.ts";
import { buildConsole } from "../test/support/built-console.ts";
import { forEachLimit } from "../src/base/kernel/semaphore.ts";
import { report } from "./part.ts";
import { sql, startServers } from "./servers.ts";
import { median } from "./statistics.ts";
import { digits, table } from "./table.ts";
import { startWorker } from "./worker.ts";

const { values: flags } = parseArgs({
  options: { placements: { type: "string", default: "1000" }, looks: { type: "string", default: "7" } },
});
const REGIONS = 3;
const LOOKS = Number(flags.looks);
const GRANTS_AT_ONCE = 6;

await buildConsole();
const servers = await startServers({ fsync: false, regions: REGIONS });
await sql(servers.home.url("postgres"), "create database bench_home");
const databaseUrl = servers.home.url("bench_home");
const app = await startWorker({ databaseUrl, secretKey: servers.secretKey }, {}, { role: "all" });

async function ask<Data>(query: string, variables: object = {}): Promise<Data> {
  const response = await fetch(`${app.url}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = (await response.json()) as { data: Data; errors?: unknown };
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  return data;
}

async function place(count: number): Promise<void> {
  const keys = servers.regions.map((_, index) => `region-${index}`);
  for (const [index, region] of servers.regions.entries()) {
    const coordinates = { latitude: 50 - 30 * index, longitude: 100 * index - 90 };
    await ask("mutation ($input: RegisterRegionInput!) { registerRegion(input: $input) { key } }", {
      input: { key: keys[index], name: `Region ${index}`, connectionUrl: region.url(), coordinates },
    });
  }
  const organizations = Array.from({ length: Math.ceil(count / REGIONS) }, (_, index) => `Customer ${index}`);
  await forEachLimit(organizations, GRANTS_AT_ONCE, async (name) => {
    type Made = { createOrganization: { id: string } };
    const { createOrganization } = await ask<Made>(
      "mutation ($input: CreateOrganizationInput!) { createOrganization(input: $input) { id } }",
      { input: { name } },
    );
    for (const regionKey of keys)
      await ask("mutation ($input: GrantRegionAccessInput!) { grantRegionAccess(input: $input) { id } }", {
        input: { organizationId: createOrganization.id, regionKey, isolation: "SHARED" },
      });
  });
}

/** In milliseconds from the document's request: its first paint, and its numbers. */
async function look(context: BrowserContext): Promise<{ paint: number; numbers: number }> {
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  await session.send("Network.setCacheDisabled", { cacheDisabled: true });
  await page.goto(`${app.url}/console`);
  await page.locator(".figure .value").first().waitFor();
  const numbers = await page.evaluate<number>("performance.now()");
  const paint = await page.evaluate<number>(
    `performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? Number.NaN`,
  );
  await page.close();
  return { paint, numbers };
}

try {
  await place(Number(flags.placements));
  const { context, close } = await openBrowser();
  const looks: { paint: number; numbers: number }[] = [];
  try {
    // The first one starts the browser's own processes.
    await look(context);
    for (let round = 0; round < LOOKS; round += 1) looks.push(await look(context));
  } finally {
    await close();
  }
  const row = (name: string, values: readonly number[]) => [name, digits(median(values)), digits(Math.max(...values))];
  const paints = looks.map(({ paint }) => paint);
  const numbers = looks.map((one) => one.numbers);
  report({
    title: "The console",
    text: table(
      [`the overview with ${flags.placements} placements`, "ms, median", "worst"],
      [row("first paint after the document's request", paints), row("its numbers", numbers)],
    ),
    bars: [
      {
        what: `the console's overview with ${flags.placements} placements`,
        measured: median(numbers),
        unit: "ms",
        open: true,
      },
    ],
  });
} finally {
  await app.close();
  await servers.stop();
}
