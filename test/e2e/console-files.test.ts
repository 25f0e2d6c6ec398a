/** How the console's files are sent: to whom, with which headers, how many bytes. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startApp, type TestApp } from "../support/app.ts";
import { BUILT_CONSOLE, buildConsole } from "../support/built-console.ts";

/** All of it together, whichever pages are opened. */
const MOST_KB = 250;

let app: TestApp;
beforeAll(async () => {
  await buildConsole();
  app = await startApp();
});
afterAll(() => app.stop());

const assets = () => readdirSync(join(BUILT_CONSOLE, "assets"));
const get = (path: string, init?: RequestInit) => fetch(`${app.url}${path}`, init);

test("the page is sent for each address within it, and is asked for each time", async () => {
  for (const path of ["/console", "/console/", "/console/jobs?state=FAILED", "/console/organizations/some-id"]) {
    const response = await get(path);
    expect({ path, status: response.status }).toEqual({ path, status: 200 });
    expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(await response.text()).toBe(readFileSync(join(BUILT_CONSOLE, "index.html"), "utf8"));
  }
});

test("the policy of its content lets in scripts and styles of its own files, and nothing else", async () => {
  const policy = (await get("/console")).headers.get("content-security-policy") ?? "";
  const rules = new Map(policy.split("; ").map((rule) => [rule.split(" ", 1)[0], rule.split(" ").slice(1).join(" ")]));
  expect(Object.fromEntries(rules)).toMatchObject({
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
  });
  expect(policy).not.toMatch(/unsafe|http|\*/);
  const page = await (await get("/console")).text();
  expect(page).not.toMatch(/<style|<script(?! type="module" crossorigin src="\/console\/assets\/)| on\w+=| style=/);
  // Another site's page can neither show it nor read from it.
  expect((await get("/console")).headers.get("x-content-type-options")).toBe("nosniff");
});

test("a file with a hash in its name is kept for good, and has its type", async () => {
  const types: Record<string, string> = { js: "text/javascript; charset=utf-8", css: "text/css; charset=utf-8" };
  for (const name of assets()) {
    const response = await get(`/console/assets/${name}`);
    expect({ name, status: response.status }).toEqual({ name, status: 200 });
    expect(response.headers.get("content-type")).toBe(types[name.split(".").at(-1) ?? ""]);
    expect(response.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    expect(await response.text()).toBe(readFileSync(join(BUILT_CONSOLE, "assets", name), "utf8"));
  }
});

test("a client that takes nothing compressed gets the same text", async () => {
  const [name = ""] = assets();
  const response = await get(`/console/assets/${name}`, { headers: { "accept-encoding": "identity" } });
  expect(response.headers.get("content-encoding")).toBeNull();
  expect(await response.text()).toBe(readFileSync(join(BUILT_CONSOLE, "assets", name), "utf8"));
});

test("HEAD has the headers alone, and no other method is taken", async () => {
  const head = await get("/console", { method: "HEAD" });
  expect({ status: head.status, text: await head.text() }).toEqual({ status: 200, text: "" });
  expect(head.headers.get("content-type")).toBe("text/html; charset=utf-8");
  const post = await get("/console", { method: "POST", body: "{}" });
  expect({ status: post.status, allow: post.headers.get("allow") }).toEqual({ status: 405, allow: "GET, HEAD" });
});

test.each([
  "/console/assets/no-such-file.js",
  "/console/assets/../index.html/../../package.json",
  "/console/assets/..%2f..%2f..%2fpackage.json",
  "/console/assets/%2e%2e/%2e%2e/%2e%2e/package.json",
  "/console/assets/",
])("%s is not found, and no name leads out of the folder", async (path) => {
  const response = await get(path);
  expect({ status: response.status, text: await response.text() }).toEqual({
    status: 404,
    text: expect.not.stringContaining('"dependencies"') as string,
  });
});

test(`all of it together has at most ${MOST_KB} KB, compressed`, () => {
  const sizes = [...assets().map((name) => join("assets", name)), "index.html"].map(
    (name) => gzipSync(readFileSync(join(BUILT_CONSOLE, name)), { level: 9 }).length,
  );
  expect(sizes.reduce((sum, size) => sum + size, 0) / 1_000).toBeLessThanOrEqual(MOST_KB);
});

describe("TENANTRY_CONSOLE=false", () => {
  test("the console is not found", async () => {
    const off = await startApp({ api: { console: false } });
    const response = await fetch(`${off.url}/console`);
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: "NOT_FOUND" } }] });
    await off.stop();
  });
});
