/** Moves in the console: looked ahead at, shown while they are under way, and called off. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { openBrowser } from "../support/browser.ts";
import { buildConsole } from "../support/built-console.ts";
import { type ConsolePage, findingsOf, openConsole } from "../support/console-page.ts";
import { createOrganization, eventually, grant, registerRegion } from "../support/journey.ts";

let app: TestApp;
let browser: Awaited<ReturnType<typeof openBrowser>>;
let opened: ConsolePage;

beforeAll(async () => {
  await buildConsole();
  app = await startApp();
  await registerRegion(app, "eu", serverUrl("eu"));
  await registerRegion(app, "us", serverUrl("us"));
  browser = await openBrowser();
  opened = await openConsole(browser.context, app.url);
}, 120_000);
afterAll(async () => {
  await browser.close();
  await app.stop();
});

async function placed(name: string): Promise<string> {
  const placement = await grant(app, await createOrganization(app, name), "eu");
  for (const table of ["app.resources", "app.comments"])
    await sql(`${serverUrl("eu")}/${placement.database}`, `alter table ${table} replica identity full`);
  return placement.id;
}

test("a move is looked ahead at before it can begin, and begins by the organization's name", async () => {
  const { page, visit } = opened;
  const id = await placed("Traveller");
  await visit(`/placements/${id}`);
  await page.getByRole("button", { name: "Move", exact: true }).click();
  const dialog = page.getByRole("dialog", { name: "Move Traveller" });
  const look = dialog.getByRole("button", { name: "Look ahead" });
  expect(await look.isDisabled()).toBe(true);
  await dialog.getByLabel("To region").selectOption("us");
  await dialog.getByLabel("Keep the source").selectOption("172800");
  await look.click();
  await dialog.getByText("For 2 days after the switch").waitFor();
  await dialog.getByText(/^About 0 rows, .* It may take /).waitFor();
  const begin = dialog.getByRole("button", { name: "Move it" });
  expect(await begin.isDisabled()).toBe(true);
  await dialog.getByLabel("Type Traveller to go on").fill("Traveller");
  expect(await begin.isEnabled()).toBe(true);
  expect(await findingsOf(page)).toEqual([]);
  // What was found is about what was asked for.
  await dialog.getByLabel("Keep the source").selectOption("0");
  await look.waitFor();
  await look.click();
  await dialog.getByLabel("Type Traveller to go on").waitFor();
  expect(await dialog.getByText("after the switch").count()).toBe(0);
  await dialog.getByRole("button", { name: "Keep it here" }).click();
  await dialog.waitFor({ state: "detached" });
  expect(await sql(app.databaseUrl, "select from tenantry.moves")).toEqual([]);
});

test("what keeps a placement from moving is said, and it cannot begin", async () => {
  const { page, visit } = opened;
  const organization = await createOrganization(app, "Twice There");
  const { id } = await grant(app, organization, "eu");
  await grant(app, organization, "us");
  await visit(`/placements/${id}`);
  await page.getByRole("button", { name: "Move", exact: true }).click();
  const dialog = page.getByRole("dialog", { name: "Move Twice There" });
  await dialog.getByLabel("To region").selectOption("us");
  await dialog.getByRole("button", { name: "Look ahead" }).click();
  await dialog.getByText("It cannot be moved now:").waitFor();
  await dialog.getByText("The organization has another placement in region us").waitFor();
  expect(await dialog.getByRole("button", { name: "Move it" }).count()).toBe(0);
  expect(await findingsOf(page)).toEqual([]);
  await dialog.getByRole("button", { name: "Keep it here" }).click();
});

test("a move that is under way is shown, and is called off by the organization's name", async () => {
  const { page, visit } = opened;
  const id = await placed("Under Way");
  // As a worker notes it.
  await sql(
    app.databaseUrl,
    `with target as (
       insert into tenantry.tenant_databases (region_id, isolation, name)
       select id, 'DEDICATED', 'move_target' from tenantry.regions where key = 'us' returning id
     ), moving as (
       update tenantry.placements set state = 'MOVING' where id = $1 returning database_id
     )
     insert into tenantry.moves (placement_id, from_database_id, to_database_id, other_database_id, step, rows_copied,
       bytes_copied, rows_total, lag_bytes, findings)
     select $1, database_id, t.id, t.id, 'COPYING', 1200, 345000, 3000, 2000, array['Something is good to know.']
     from moving, target t`,
    [id],
  );
  await visit("/");
  const underWay = page.getByRole("region", { name: "Moves under way" });
  await underWay.getByText("1,200 of 3,000").waitFor();
  expect(await findingsOf(page)).toEqual([]);
  await underWay.getByRole("link", { name: "Under Way" }).click();
  const panel = page.getByRole("region", { name: "Move", exact: true });
  await panel.getByText("from eu (dedicated) to us (dedicated)").waitFor();
  expect(await panel.locator("[aria-current=step]").innerText()).toBe("Copying");
  await panel.getByText("Something is good to know.").waitFor();
  expect(await findingsOf(page)).toEqual([]);
  expect(await page.getByRole("button", { name: "Revoke access" }).count()).toBe(0);
  await panel.getByRole("button", { name: "Call off" }).click();
  const dialog = page.getByRole("dialog", { name: "Call off the move of Under Way" });
  const act = dialog.getByRole("button", { name: "Call off" });
  expect(await act.isDisabled()).toBe(true);
  await dialog.getByLabel("Type Under Way to go on").fill("Under Way");
  await act.click();
  await dialog.waitFor({ state: "detached" });
  const asked = () =>
    sql(app.databaseUrl, "select from tenantry.jobs where placement_id = $1 and kind = 'move-placement'", [id]);
  expect(await eventually(async () => (await asked()).length)).toBe(1);
});

test("nothing was complained of", () => {
  expect(opened.complaints).toEqual([]);
});
