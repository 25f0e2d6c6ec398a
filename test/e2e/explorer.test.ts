/** The journey as a person does it: in a real browser, by clicking. */
import { mkdirSync } from "node:fs";
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

test("acting as the user made in the first step", async () => {
  const page = await browser.context.newPage();
  await page.goto(app.url);
  await page.waitForSelector("body[data-ready]");
  await page.getByRole("button", { name: "Run: Create a user" }).click();
  await page.locator("#steps li:nth-child(1).done").waitFor();
  await page.locator("#actor").selectOption({ label: "Ada, made in step 1" });
  await page.getByRole("button", { name: "Run: Register region eu" }).click();
  await page.locator("#steps li:nth-child(4).failed").waitFor();
  expect(await page.locator("#hint").textContent()).toBe("Only the operator may do this.");
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
