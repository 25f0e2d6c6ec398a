/** The key of stored secrets is changed while processes run, and nobody notices. */
import { execFile } from "node:child_process";
import { createCipheriv, randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { connectionsOf } from "../support/connections.ts";
import {
  addMember,
  comment,
  createOrganization,
  createResource,
  createUser,
  eventually,
  grant,
  registerRegion,
} from "../support/journey.ts";
import { findDifferences } from "../support/replication-truth.ts";

const PROGRAM = fileURLToPath(new URL("../../bin/tenantry.js", import.meta.url));
const newKey = () => randomBytes(32).toString("base64");

/** As secrets were stored before keys had ids. */
function sealInFormat1(key: string, plain: string, context: string): Buffer {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", Buffer.from(key, "base64"), nonce);
  cipher.setAAD(Buffer.from(context));
  const body = Buffer.concat([cipher.update(plain, "utf8"), cipher.final()]);
  return Buffer.concat([Buffer.of(1), nonce, cipher.getAuthTag(), body]);
}

test("a key is changed step by step; what runs goes on, and the old key opens nothing afterwards", async () => {
  const [old, fresh] = [newKey(), newKey()];
  const before = await startApp({ secretKey: old });
  const { databaseUrl } = before;
  const installation = { homeUrl: databaseUrl, regionUrl: (_: string, name?: string) => `${serverUrl("eu")}/${name}` };
  const ada = await createUser(before);
  const acme = await createOrganization(before);
  await addMember(before, acme, ada);
  await registerRegion(before, "eu", serverUrl("eu"));
  const { database } = await grant(before, acme, "eu");
  // What links sign in with at the gateway is made of a secret that is stored too.
  const linkPasswords = async () =>
    [
      ...(await connectionsOf(databaseUrl, database)),
      ...(await connectionsOf(`${serverUrl("eu")}/${database}`, database)),
    ].map((connection) => /password='([^']+)'/.exec(connection)?.[1]);
  const passwords = await linkPasswords();
  expect(new Set(passwords).size).toBe(2);
  const resource = await createResource(before, { name: "Plans", organizationId: acme });
  // One region's URL as an older program stored it.
  const [region] = await sql<{ id: string }>(databaseUrl, "select id from tenantry.regions where key = 'eu'");
  const oldSealed = sealInFormat1(old, serverUrl("eu"), region?.id ?? "");
  await sql(databaseUrl, "update tenantry.regions set connection_url = $1", [oldSealed]);
  await before.stop();

  // First everybody can read both keys, then one after the other writes with the new one.
  const lagging = await startApp({ databaseUrl, secretKey: old, previousSecretKeys: [fresh] });
  const ahead = await startApp({ databaseUrl, secretKey: fresh, previousSecretKeys: [old], role: "api" });
  await registerRegion(ahead, "us", serverUrl("us"));
  const work = async (...apps: TestApp[]) => {
    for (const app of apps) {
      await comment(app, resource, ada);
      await app.ask("{ regions { key server { version } } }");
      await createResource(app, { name: "More", organizationId: acme });
    }
  };
  await work(lagging, ahead);

  const rotate = async (environment: object) => {
    const env = { PATH: process.env["PATH"], DATABASE_URL: databaseUrl, ...environment };
    return promisify(execFile)(process.execPath, [PROGRAM, "rotate-secret-key", "--json"], { env });
  };
  // Without the old key nothing is changed.
  await expect(rotate({ TENANTRY_SECRET_KEY: fresh })).rejects.toMatchObject({
    stderr: expect.stringContaining("TENANTRY_SECRET_KEY_PREVIOUS"),
  });
  const both = { TENANTRY_SECRET_KEY: fresh, TENANTRY_SECRET_KEY_PREVIOUS: old };
  // The URL of the region eu, the gateway's secret and the API's; the URL of the region us was written with the new key.
  expect(JSON.parse((await rotate(both)).stdout)).toEqual({ rotated: 3, current: 1 });
  expect(JSON.parse((await rotate(both)).stdout)).toEqual({ rotated: 0, current: 4 });
  await work(lagging, ahead);
  await lagging.stop();
  await ahead.stop();

  const after = await startApp({ databaseUrl, secretKey: fresh });
  await work(after);
  expect(await eventually(async () => (await findDifferences(installation)).length === 0)).toBe(true);
  // They are told of each process's gateway, and sign in to all of them with the same passwords.
  expect(await linkPasswords()).toEqual(passwords);
  await after.stop();
  await expect(startApp({ databaseUrl, secretKey: old })).rejects.toThrow("cannot be decrypted");
});

test("when home's address is another one, no subscription has to be told", async () => {
  const app = await startApp();
  const { databaseUrl, secretKey } = app;
  const gateway = { host: "127.0.0.1", port: app.gatewayPort ?? 0 };
  const acme = await createOrganization(app);
  await registerRegion(app, "eu", serverUrl("eu"));
  const { database } = await grant(app, acme, "eu");
  const told = async () => [
    ...(await connectionsOf(databaseUrl, database)),
    ...(await connectionsOf(`${serverUrl("eu")}/${database}`, database)),
  ];
  const before = await told();
  await app.stop();
  const moved = databaseUrl.replace("127.0.0.1", "localhost");
  const elsewhere = await startApp({ databaseUrl: moved, secretKey, gateway });
  await createResource(elsewhere, { name: "Moved", organizationId: acme });
  await addMember(elsewhere, acme, await createUser(elsewhere));
  const installation = { homeUrl: databaseUrl, regionUrl: (_: string, name?: string) => `${serverUrl("eu")}/${name}` };
  expect(await eventually(async () => (await findDifferences(installation)).length === 0)).toBe(true);
  expect(await told()).toEqual(before);
  await elsewhere.stop();
});
