/** The operator's day on the command line, with a worker running elsewhere. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { serverUrl, startApp, type TestApp } from "../support/app.ts";
import { eventually } from "../support/journey.ts";

let app: TestApp;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.stop());

const program = fileURLToPath(new URL("../../bin/tenantry.js", import.meta.url));

async function tenantry(args: string[], input = ""): Promise<{ code: number; json: any; output: string }> {
  const env = { PATH: process.env["PATH"], DATABASE_URL: app.databaseUrl, TENANTRY_SECRET_KEY: app.secretKey };
  const child = spawn(process.execPath, [program, ...args], { env, stdio: ["pipe", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stdin.end(input);
  const [code] = await once(child, "close");
  const json: unknown = args.includes("--json") && output.startsWith("{") ? JSON.parse(output) : undefined;
  return { code: Number(code), json, output };
}

test("regions, organizations, access and its end", async () => {
  const added = await tenantry(["region", "add", "eu", "--name", "Europe", "--json"], `${serverUrl("eu")}\n`);
  expect(added).toMatchObject({ code: 0, json: { key: "eu", name: "Europe" } });
  const { password } = new URL(serverUrl("eu"));
  expect(added.output).not.toContain(password);
  expect((await tenantry(["region", "list"])).output).toMatch(/^eu {3}Europe {2}127/m);
  const checked = await tenantry(["region", "check", "eu", "--json"]);
  expect(checked).toMatchObject({ code: 0, json: { obstacle: null, cannotConnect: [], shortage: null } });
  expect(checked.json.servers.map(({ server }: { server: string }) => server)).toEqual(["home", "region"]);
  expect((await tenantry(["region", "check", "eu"])).output).toMatch(
    /^ {2}max_replication_slots +\d+ +0 +\d+ +\d+ +\d+$/m,
  );
  const organization = (await tenantry(["org", "create", "Acme", "--json"])).json.id;
  expect((await tenantry(["org", "list"])).output).toContain(`${organization}  Acme`);
  const granted = await tenantry(["grant", organization, "eu", "--json"]);
  expect(granted).toMatchObject({ code: 0, json: { state: "ACTIVE" } });
  const { id } = granted.json;
  expect(await tenantry(["revoke", id, "--confirm", "Other"])).toMatchObject({ code: 1 });
  expect((await tenantry(["revoke", id, "--confirm", "Acme"])).output).toMatch(/SUSPENDED\nIts data is dropped after/);
  expect((await tenantry(["resume", id, "--json"])).json.state).toBe("ACTIVE");
  expect((await tenantry(["retry", id, "--json"])).json.state).toBe("ACTIVE");
  expect((await tenantry(["region", "retire", "eu"])).output).toContain("placement remains");
  await tenantry(["revoke", id, "--confirm", "Acme", "--skip-grace"]);
  expect(await eventually(async () => (await tenantry(["region", "retire", "eu"])).code === 0)).toBe(true);
  expect((await tenantry(["region", "list"])).output).toBe("No regions.\n");
}, 60_000);

test("how servers reach the gateway is shown, and which of them cannot", async () => {
  const url = serverUrl("us");
  const { host, password } = new URL(url);
  const added = await tenantry(["region", "add", "us"], `${url}\n`);
  expect(added).toMatchObject({
    code: 0,
    output: expect.stringMatching(new RegExp(`^us +us +${host} +SUPERUSER$`, "m")),
  });
  const checked = await tenantry(["region", "check", "us", "--json"]);
  const gateway = `127.0.0.1:${app.gatewayPort}`;
  const home = new URL(app.databaseUrl).host;
  expect(checked.json.addresses).toEqual({ region: host, home, gateway, gatewayOfHome: gateway });
  const shown = await tenantry(["region", "check", "us"]);
  expect(shown.output).toContain(
    `The region's server connects to the gateway at ${gateway}, home's server at ${gateway}\n`,
  );
  expect(shown).toMatchObject({ code: 0, output: expect.stringMatching(/^It will do\.$/m) });

  // The worker ends, and its gateway with it.
  await app.stop();
  const gone = await tenantry(["region", "check", "us"]);
  expect(gone.code).toBe(1);
  for (const sentence of [
    "Home's server cannot connect to Tenantry's gateway by TENANTRY_GATEWAY_HOME_ADDRESS or TENANTRY_GATEWAY_ADDRESS: nothing listens there.",
    "The region's server cannot connect to Tenantry's gateway by TENANTRY_GATEWAY_ADDRESS: nothing listens there.",
  ])
    expect(gone.output).toContain(`${sentence}\n`);
  const refused = await tenantry(["region", "update", "us"], `${url}\n`);
  expect(refused).toMatchObject({ code: 1, output: expect.stringContaining("nothing listens there") });
  for (const { output } of [added, checked, shown, gone, refused]) expect(output).not.toContain(password);
  app = await startApp({ databaseUrl: app.databaseUrl, secretKey: app.secretKey });
}, 60_000);

test("what is wrong is one sentence and exit code 1, and no secret is in it", async () => {
  const bad = await tenantry(["region", "add", "xx"], "postgres://user:hunter2@127.0.0.1:1");
  expect(bad).toMatchObject({ code: 1 });
  expect(bad.output).toMatch(/^The server at 127\.0\.0\.1:1 cannot be reached: .*\n$/);
  expect((await tenantry(["grant", "nonsense", "eu"])).output).toContain("must be a UUID");
  expect((await tenantry(["region", "check", "nowhere"])).output).toBe("There is no region with the key nowhere.\n");
}, 60_000);
