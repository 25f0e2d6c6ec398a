/** The journey as a person does it: in a real browser, by clicking. */
import { mkdirSync } from "node:fs";
import axe from "axe-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { JOURNEY } from "../../src/app/journey.ts";
import { serverUrl, startApp, type TestApp } from "../support/app.ts";
import { openBrowser } from "../support/browser.ts";
import { createApiKey } from "../support/signed-in.ts";

let app: TestApp;
let browser: Awaited<ReturnType<typeof openBrowser>>;
beforeAll(async () => {
  app = await startApp({ regionUrls: { eu: serverUrl("eu"), us: serverUrl("us") } });
  browser = await openBrowser();
});
afterAll(async () => {
  await browser.close();
  await app.stop();
});

test("a person clicks through the whole journey, offline, and sees it all read back", async () => {
  const page = await browser.context.newPage();
  page.setDefaultTimeout(10_000);
  const foreign: string[] = [];
  const complaints: string[] = [];
  page.on("request", (request) => {
    if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(app.url)) foreign.push(request.url());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  await page.goto(app.url);
  await page.waitForSelector("body[data-ready]");

  // Out of order: the page says which step is needed first, and sends nothing.
  await page.getByRole("button", { name: "Run: Read it all back" }).click();
  expect(await page.locator("#hint").textContent()).toContain("Run step 2 first");

  for (const [index, step] of JOURNEY.entries()) {
    await page.getByRole("button", { name: `Run: ${step.title}`, exact: true }).click();
    await page.locator(`#steps li:nth-child(${index + 1}).done`).waitFor();
  }
  // The editor draws only the lines in view: scroll to the end of the answer, where the region's comment is.
  const answer = page.frameLocator("#editor").locator(".graphiql-response");
  await answer.click();
  await page.keyboard.press("Control+End");
  await answer.getByText("Only").first().waitFor();
  mkdirSync("test-results", { recursive: true });
  await page.screenshot({ path: "test-results/explorer.png" });

  // What lies where: the operator's own count, whoever the editor acts as.
  await page.locator("#where table").waitFor();
  expect(await page.locator("#where tr").allInnerTexts()).toEqual([
    expect.stringMatching(/^\s*home\s+eu\s+us$/),
    expect.stringMatching(/^Users[^]*\t1\t0\t0$/),
    expect.stringMatching(/^Copies of users[^]*\t0\t1\t0$/),
    expect.stringMatching(/^Resources[^]*\t1\t1\t0$/),
    expect.stringMatching(/^Comments[^]*\t1\t1\t0$/),
    expect.stringMatching(/^Lines of the catalog[^]*\t1\t0\t0$/),
  ]);

  const { resources } = await app.ask("{ resources { edges { node { name region { key } } } } }");
  expect(resources.edges.map((edge: { node: unknown }) => edge.node)).toEqual([
    { name: "Roadmap", region: null },
    { name: "Plans", region: { key: "eu" } },
  ]);
  expect(await page.getByRole("link", { name: /Apollo Sandbox/ }).getAttribute("href")).toBe(
    `https://studio.apollographql.com/sandbox/explorer?endpoint=${encodeURIComponent(`${app.url}/graphql`)}`,
  );
  expect(foreign).toEqual([]);
  expect(complaints).toEqual([]);
});

test("a reload keeps the journey, another home database ends it, and a region that is there counts as done", async () => {
  const page = await browser.context.newPage();
  page.setDefaultTimeout(10_000);
  await page.goto(app.url);
  await page.waitForSelector("body[data-ready]");
  await page.getByRole("button", { name: "Start over" }).click();
  for (const [index, title] of ["Create a user", "Create an organization"].entries()) {
    await page.getByRole("button", { name: `Run: ${title}`, exact: true }).click();
    await page.locator(`#steps li:nth-child(${index + 1}).done`).waitFor();
  }
  // The first test has registered it.
  await page.getByRole("button", { name: "Run: Register region eu" }).click();
  await page.locator("#steps li:nth-child(4).done").waitFor();
  const outcomes = ["✓ done", "✓ done", "", "✓ there already", "", "", "", "", "", "", ""];
  expect(await page.locator("#steps .outcome").allTextContents()).toEqual(outcomes);
  expect(await page.locator("#hint").getAttribute("role")).toBe("status");
  expect(await page.locator("#hint").textContent()).toBe("Step 4 is there already. Next: Register region us.");

  await page.reload();
  await page.waitForSelector("body[data-ready]");
  expect(await page.locator("#steps .outcome").allTextContents()).toEqual(outcomes);
  expect(await page.locator("#steps li:nth-child(3)").getAttribute("class")).toBe("chosen");
  expect(await page.locator("#actor option").allTextContents()).toEqual(["the operator", "Ada, made in step 1"]);
  // With the ids that were kept.
  await page.getByRole("button", { name: "Run: Add the user to it" }).click();
  await page.locator("#steps li:nth-child(3).done").waitFor();

  // As it was kept when another home answered here.
  await page.evaluate(
    'localStorage.setItem("tenantry-journey", localStorage.getItem("tenantry-journey").replace(/"home":"[^"]+"/, \'"home":"another"\'))',
  );
  await page.reload();
  await page.waitForSelector("body[data-ready]");
  expect(await page.locator("#steps li.done").count()).toBe(0);
  expect(await page.locator("#hint").textContent()).toContain("the journey begins anew");
  await page.getByRole("button", { name: "Run: Add the user to it" }).click();
  expect(await page.locator("#hint").textContent()).toContain("Run step 1 first");
  await page.close();
});

test("on a telephone the editor is as wide as the page, and nothing sticks out", async () => {
  const page = await browser.context.newPage();
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto(app.url);
  await page.waitForSelector("body[data-ready]");
  await page.getByRole("button", { name: "Start over" }).click();
  await page.getByRole("button", { name: "Run: Create a user" }).click();
  await page.locator("#steps li:nth-child(1).done").waitFor();
  expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(390);
  const frame = page.frameLocator("#editor");
  for (const part of [".graphiql-query-editor .monaco-editor", ".graphiql-response"]) {
    const box = await frame.locator(part).boundingBox();
    expect(box?.width, part).toBeGreaterThan(250);
    expect(box?.height, part).toBeGreaterThan(150);
  }
  await page.close();
});

/** Rules that GraphiQL's own page breaks, which we take as it comes. */
const GRAPHIQLS_FAULTS = [
  // Its tabs are buttons within elements that can be chosen.
  "nested-interactive",
  // Line numbers and comments of its editor, in its own colours.
  "color-contrast",
  // It has neither landmarks nor a heading: it is made to be a page's part.
  "landmark-one-main",
  "region",
  "page-has-heading-one",
];

test.each(["light", "dark"] as const)("axe finds nothing wrong, in %s colours", async (colorScheme) => {
  const page = await browser.context.newPage();
  await page.emulateMedia({ colorScheme: colorScheme === "dark" ? "light" : "dark" });
  await page.goto(app.url);
  await page.waitForSelector("body[data-ready]");
  // The system's colours change while the page is open: so do those of the page and of the editor.
  await page.emulateMedia({ colorScheme });
  const editor = colorScheme === "dark" ? ".monaco-editor.vs-dark" : ".monaco-editor.vs";
  await page.frameLocator("#editor").locator(editor).first().waitFor();
  await page.getByRole("button", { name: "Start over" }).click();
  await page.getByRole("button", { name: "Run: Create a user" }).click();
  await page.locator("#steps li:nth-child(1).done").waitFor();
  // A user may not do it: so that a failed step is looked at too.
  await page.locator("#actor").selectOption({ index: 1 });
  await page.getByRole("button", { name: "Run: Register region us" }).click();
  await page.locator("#steps li:nth-child(5).failed").waitFor();
  await page.getByRole("button", { name: "What lies where" }).click();
  await page.locator("#where table").waitFor();
  const found: string[] = [];
  for (const frame of page.frames()) {
    const isGraphiql = frame !== page.mainFrame();
    await frame.evaluate(axe.source);
    const rules = Object.fromEntries((isGraphiql ? GRAPHIQLS_FAULTS : []).map((rule) => [rule, { enabled: false }]));
    const options = JSON.stringify({ rules, iframes: false });
    const { violations } = await frame.evaluate<{ violations: { id: string; nodes: { html: string }[] }[] }>(
      `axe.run(document, ${options})`,
    );
    for (const { id, nodes } of violations)
      found.push(`${isGraphiql ? "GraphiQL" : "page"}: ${id}: ${nodes.map(({ html }) => html).join(" ")}`);
  }
  expect(found).toEqual([]);
  await page.close();
});

test("acting as the user made in the first step", async () => {
  const page = await browser.context.newPage();
  await page.goto(app.url);
  await page.waitForSelector("body[data-ready]");
  await page.getByRole("button", { name: "Start over" }).click();
  await page.getByRole("button", { name: "Run: Create a user" }).click();
  await page.locator("#steps li:nth-child(1).done").waitFor();
  await page.locator("#actor").selectOption({ label: "Ada, made in step 1" });
  await page.getByRole("button", { name: "Run: Register region eu" }).click();
  await page.locator("#steps li:nth-child(4).failed").waitFor();
  expect(await page.locator("#hint").textContent()).toBe("Step 4 failed: Only the operator may do this.");
});

test("where callers sign in, a pasted key does it, and the page knows no password", async () => {
  const { databaseUrl, secretKey } = app;
  const regionUrls = { eu: serverUrl("eu"), us: serverUrl("us") };
  const signedIn = await startApp({ databaseUrl, secretKey, role: "api", signIn: { mode: "bearer" }, regionUrls });
  const page = await browser.context.newPage();
  await page.goto(signedIn.url);
  await page.waitForSelector("body[data-ready]");
  expect(await page.content()).not.toContain(new URL(serverUrl("eu")).password);
  expect(await page.locator("#actor").isVisible()).toBe(false);
  await page.getByRole("button", { name: "Run: Create a user" }).click();
  await page.locator("#steps li:nth-child(1).failed").waitFor();
  expect(await page.locator("#hint").textContent()).toContain("Sign in");
  await page.getByLabel("Token or API key").fill((await createApiKey(app)).secret);
  await page.getByRole("button", { name: "Run: Create a user" }).click();
  await page.locator("#steps li:nth-child(1).done").waitFor();
  await signedIn.stop();
});
