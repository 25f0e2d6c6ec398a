/** The console as an operator uses it: every page in a real browser, on a world that was made for real. */
import { mkdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { serverUrl, startApp, type TestApp } from "../support/app.ts";
import { openBrowser } from "../support/browser.ts";
import { buildConsole } from "../support/built-console.ts";
import { type ConsolePage, findingsOf, openConsole, overflowOf, signIn } from "../support/console-page.ts";
import { makeWorld, type World } from "../support/console-world.ts";
import { type OwnServer, startServer } from "../support/servers.ts";
import { createApiKey } from "../support/signed-in.ts";

const WORLD_TIMEOUT_MS = 240_000;

let setup: TestApp;
let api: TestApp;
let ap: OwnServer;
let browser: Awaited<ReturnType<typeof openBrowser>>;
let world: World;
let operator: string;
let opened: ConsolePage;

beforeAll(async () => {
  await buildConsole();
  ap = await startServer();
  setup = await startApp({ homeCoordinates: "52.37,4.9" });
  const { databaseUrl, secretKey } = setup;
  const bearer = {
    mode: "bearer",
    oidc: undefined,
    createUsers: false,
    operatorClaim: undefined,
    readOnlyClaim: undefined,
  } as const;
  api = await startApp({ databaseUrl, secretKey, role: "api", homeCoordinates: "52.37,4.9", signIn: bearer });
  browser = await openBrowser();
  world = await makeWorld(setup, {
    eu: serverUrl("eu"),
    us: serverUrl("us"),
    ap: ap.url(),
    away: () => ap.server.stop(),
  });
  operator = (await createApiKey(setup)).secret;
  opened = await openConsole(browser.context, api.url, { secret: operator });
}, WORLD_TIMEOUT_MS);
afterAll(async () => {
  await browser.close();
  await api.stop();
  await setup.stop();
  await ap[Symbol.asyncDispose]();
});

/** Each page: its address, its heading, and something that only its data shows. */
const PAGES = [
  { path: "/", heading: "Overview", shows: "1 away" },
  { path: "/regions", heading: "Regions", shows: "Replication slots" },
  { path: "/organizations", heading: "Organizations", shows: "Customer 050" },
  { path: "/organizations/ACME", heading: "Acme Instruments", shows: "Barbara Liskov" },
  { path: "/placements", heading: "Placements", shows: "Acme Instruments" },
  { path: "/placements/ACME-EU", heading: "Acme Instruments", shows: "app.comments" },
  { path: "/jobs?failing=yes", heading: "Jobs", shows: "Provision placement" },
  { path: "/links", heading: "Links", shows: "Parked" },
  { path: "/fleet", heading: "Fleet", shows: "Version" },
  { path: "/border", heading: "Border", shows: "directory" },
  { path: "/audit-log", heading: "Audit log", shows: "grantRegionAccess" },
];

/** With the ids of this run. */
const pathOf = (path: string) => path.replace("ACME-EU", world.acme.placements.eu).replace("ACME", world.acme.id);

async function show({ page, visit }: ConsolePage, path: string, shows: string): Promise<void> {
  await visit(pathOf(path));
  const main = page.getByRole("main");
  const found = main.getByText(shows).filter({ visible: true }).first();
  await found.waitFor().catch(async () => {
    throw new Error(`${path} does not show ${shows}, but: ${(await main.innerText()).slice(0, 2_000)}`);
  });
}

test("whoever is not signed in is asked for a key, a wrong one is refused, and the address stays", async () => {
  const { page, complaints } = await openConsole(browser.context, api.url, { path: "/regions?region=eu" });
  await page.getByRole("heading", { name: "Tenantry console" }).waitFor();
  expect(await findingsOf(page)).toEqual([]);
  await page.getByLabel("API key or token").fill("not-a-key");
  await page.keyboard.press("Enter");
  await page.getByText("This is no key or token that the API takes.").waitFor();
  await signIn(page, operator);
  await page.getByText("Only eu is shown.").waitFor();
  expect(new URL(page.url()).search).toBe("?region=eu");

  // The key is in the page's memory and nowhere else.
  const kept = await page.evaluate<string>(
    "JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href])",
  );
  expect(kept).not.toContain(operator.slice(0, 12));
  expect(await browser.context.cookies()).toEqual([]);
  await page.reload();
  await page.getByRole("heading", { name: "Tenantry console" }).waitFor();
  expect(complaints).toEqual([]);
  await page.close();
});

describe.each(["light", "dark"] as const)("in %s colours", (colorScheme) => {
  test.each(PAGES)("$path shows its data, and axe finds nothing", async ({ path, heading, shows }) => {
    const { page } = opened;
    await page.emulateMedia({ colorScheme });
    await show(opened, path, shows);
    await page.getByRole("heading", { level: 1, name: heading }).waitFor();
    expect(await page.title()).toContain("Tenantry");
    expect(await findingsOf(page)).toEqual([]);
    mkdirSync("test-results", { recursive: true });
    await page.screenshot({ path: `test-results/console-${path.replaceAll(/\W+/g, "-")}-${colorScheme}.png` });
  });
});

test.each([390, 2560])("no page is wider than a window of %i pixels", async (width) => {
  const { page } = opened;
  await page.setViewportSize({ width, height: 900 });
  for (const { path, shows } of PAGES) {
    await show(opened, path, shows);
    expect({ path, overflow: await overflowOf(page) }).toEqual({ path, overflow: 0 });
  }
  await page.setViewportSize({ width: 1440, height: 900 });
});

test("on a narrow screen the pages are in a drawer, which the keyboard opens, walks and ends", async () => {
  const { page, visit } = opened;
  await page.setViewportSize({ width: 390, height: 844 });
  await visit("/regions");
  const menu = page.getByRole("button", { name: "Pages and settings" });
  await menu.focus();
  await page.keyboard.press("Enter");
  const drawer = page.getByRole("dialog", { name: "Pages and settings" });
  await drawer.getByRole("link", { name: "Organizations" }).waitFor();
  expect(await findingsOf(page)).toEqual([]);
  await page.keyboard.press("Escape");
  await drawer.waitFor({ state: "detached" });
  const focused = await page.evaluate("document.activeElement?.getAttribute('aria-label')");
  expect(focused).toBe("Pages and settings");
  await page.setViewportSize({ width: 1440, height: 900 });
});

test("filters are in the address: what is typed can be sent, and going back takes it away", async () => {
  const { page, visit } = opened;
  await visit("/organizations");
  await page.getByLabel("Name begins with, or id").fill("customer 04");
  await page.getByText("10 organizations shown").waitFor();
  expect(new URL(page.url()).search).toBe("?search=customer+04");
  await page.getByLabel("With a placement in").selectOption("ap");
  await page.getByText("No organization is like this").waitFor();
  await page.goBack();
  await page.getByText("10 organizations shown").waitFor();
});

test("a page begins at its heading, and the first key leads past the navigation", async () => {
  const { page, visit } = opened;
  await visit("/regions");
  await page.getByRole("link", { name: "Organizations", exact: true }).first().click();
  const heading = page.getByRole("heading", { level: 1, name: "Organizations" });
  await heading.waitFor();
  await expect.poll(() => page.evaluate("document.activeElement?.tagName")).toBe("H1");
});

test("a region that is killed is on the overview within 30 s, and gone from there when it is back", {
  timeout: 120_000,
}, async () => {
  const { page, visit } = opened;
  await visit("/");
  const away = page.getByRole("link", { name: /^ap\s?, Away$/ });
  await away.waitFor();
  await ap.server.start();
  await away.waitFor({ state: "detached", timeout: 60_000 });
  await ap.server.kill();
  await away.waitFor({ timeout: 30_000 });
});

test("the operator registers a region with bad input, and the API's sentence stands beside its field", async () => {
  const { page, visit } = opened;
  await visit("/regions");
  await page.getByRole("button", { name: "Register a region" }).click();
  const dialog = page.getByRole("dialog", { name: "Register a region" });
  expect(await findingsOf(page)).toEqual([]);
  await dialog.getByLabel("Key").fill("Not A Key");
  await dialog.getByLabel("Name").fill("Somewhere");
  await dialog.getByLabel("Connection URL").fill("postgres://nobody@127.0.0.1:1");
  await dialog.getByLabel("Latitude").fill("north");
  await dialog.getByText("Give both as numbers").waitFor();
  await dialog.getByLabel("Latitude").fill("");
  await dialog.getByRole("button", { name: "Register" }).click();
  await dialog.getByRole("alert").first().waitFor();
  expect(await dialog.getByLabel("Key").getAttribute("aria-invalid")).toBe("true");
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
});

test("a region with placements cannot be retired, and the dialog says why", async () => {
  const { page, visit } = opened;
  await visit("/regions?region=eu");
  await page.getByRole("button", { name: "Retire eu" }).click();
  const dialog = page.getByRole("dialog", { name: "Retire region eu" });
  await dialog.getByText("It cannot be done now:").waitFor();
  await dialog.getByLabel(/^Type .* to go on$/).fill("eu");
  expect(await dialog.getByRole("button", { name: "Retire eu" }).isDisabled()).toBe(true);
  expect(await findingsOf(page)).toEqual([]);
  await dialog.getByRole("button", { name: "Keep it" }).click();
});

test("the operator makes an organization, grants it a region and sees it made, and deletes it by its name", {
  timeout: 90_000,
}, async () => {
  const { page, visit } = opened;
  await visit("/organizations");
  await page.getByRole("button", { name: "Create an organization" }).click();
  await page.getByRole("dialog").getByLabel("Name").fill("Short Lived");
  await page.getByRole("button", { name: "Create", exact: true }).click();
  await page.getByRole("heading", { level: 1, name: "Short Lived" }).waitFor();

  await page.getByRole("button", { name: "Grant access to a region" }).click();
  const grant = page.getByRole("dialog", { name: "Grant Short Lived access to a region" });
  await grant.getByLabel("Region").selectOption("us");
  await grant.getByRole("button", { name: "Grant access" }).click();
  await grant.getByText("Done", { exact: true }).waitFor({ timeout: 30_000 });
  await grant.getByRole("button", { name: "Close" }).click();
  await page.getByRole("table").getByText("Active").waitFor();

  await page.getByRole("button", { name: "Delete" }).click();
  const dialog = page.getByRole("dialog", { name: "Delete Short Lived" });
  const confirm = dialog.getByRole("button", { name: "Delete it for good" });
  await dialog.getByLabel(/^Type /).fill("Short");
  expect(await confirm.isDisabled()).toBe(true);
  await dialog.getByLabel(/^Type /).fill("Short Lived");
  await confirm.click();
  await page.getByRole("heading", { level: 1, name: "Organizations" }).waitFor({ timeout: 30_000 });
  const { organizations } = await setup.ask(
    '{ organizations(search: "Short Lived") { edges { node { deletingAt } } } }',
  );
  expect(
    organizations.edges.every(({ node }: { node: { deletingAt: string | null } }) => node.deletingAt !== null),
  ).toBe(true);
});

/** Names of buttons that look, sort, copy, or are about the page itself. */
const HARMLESS =
  /^(System|Light|Dark|Sign out|Pages and settings|Copy|Show more|Try again|Export|Compare|Show|Hide|All|Day|Download|Write)/;

test("a read-only operator sees every page, and no button that acts", { timeout: 90_000 }, async () => {
  const { secret } = await createApiKey(setup, { readOnly: true });
  const reader = await openConsole(browser.context, api.url, { secret });
  await reader.page.getByText("Operator, read-only").first().waitFor();
  for (const { path, shows } of PAGES) {
    await show(reader, path, shows);
    // One of several views is chosen with a button that is pressed.
    const names = await reader.page.getByRole("main").locator("button:not([aria-pressed])").allInnerTexts();
    const acting = names.map((name) => name.trim()).filter((name) => name !== "" && !HARMLESS.test(name));
    expect({ path, acting }).toEqual({ path, acting: [] });
  }
  expect(reader.complaints).toEqual([]);
  await reader.page.close();
});

test("an OWNER sees their organization and nothing of the platform", async () => {
  const { secret } = await createApiKey(setup, { organizationId: world.acme.id, role: "OWNER" });
  const owner = await openConsole(browser.context, api.url, { path: "/organizations", secret });
  const { page, visit } = owner;
  await page.getByText("1 organization shown").waitFor();
  expect(await page.getByRole("navigation", { name: "Pages" }).first().getByRole("link").allInnerTexts()).toEqual([
    "Organizations",
    "Placements",
    "Jobs",
    "Audit log",
  ]);
  await visit("/links");
  await page.getByText("This page is for the operator of the platform.").waitFor();
  for (const path of [
    "/organizations/ACME",
    "/placements/ACME-EU",
    "/jobs",
    `/audit-log?organization=${world.acme.id}`,
  ]) {
    await visit(pathOf(path));
    await page.getByRole("heading", { level: 1 }).waitFor();
    await expect.poll(() => page.getByText("Loading …").count()).toBe(0);
    expect(await findingsOf(page)).toEqual([]);
  }
  expect(owner.complaints).toEqual([]);
  await page.close();
});

test("in development nobody signs in, and the page says so", async () => {
  const { page, complaints } = await openConsole(browser.context, setup.url);
  await page.getByText("Operator (development, no sign-in)").first().waitFor();
  expect(complaints).toEqual([]);
  await page.close();
});

test("the browser had nothing to complain of, and asked no other host", () => {
  expect(opened.complaints).toEqual([]);
});
