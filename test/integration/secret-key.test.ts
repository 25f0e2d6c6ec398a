/** The key of stored secrets is changed while processes run, and nobody notices. */
import { execFile } from "node:child_process";
import { createCipheriv, randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import {
  addMember,
  comment,
  createOrganization,
  createResource,
  createUser,
  grant,
  registerRegion,
} from "../support/journey.ts";

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
  const ada = await createUser(before);
  const acme = await createOrganization(before);
  await addMember(before, acme, ada);
  // With another way to it, which is stored too.
  const input = {
    key: "eu",
    name: "Europe",
    connectionUrl: serverUrl("eu"),
    replicationUrl: serverUrl("eu").replace("127.0.0.1", "localhost"),
  };
  await before.ask("mutation ($input: RegisterRegionInput!) { registerRegion(input: $input) { key } }", { input });
  await grant(before, acme, "eu");
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
  // Both URLs of the region eu, home's address and the API's secret; the region us was written with the new key.
  expect(JSON.parse((await rotate(both)).stdout)).toEqual({ rotated: 4, current: 1 });
  expect(JSON.parse((await rotate(both)).stdout)).toEqual({ rotated: 0, current: 5 });
  await work(lagging, ahead);
  await lagging.stop();
  await ahead.stop();

  const after = await startApp({ databaseUrl, secretKey: fresh });
  await work(after);
  // Home's address is the same under another key: nobody was told it again.
  const renewals = await sql(databaseUrl, "select from tenantry.operations where kind = 'renew-subscriptions'");
  expect(renewals).toEqual([]);
  await after.stop();
  await expect(startApp({ databaseUrl, secretKey: old })).rejects.toThrow("cannot be decrypted");
});

test("when home's address is another one, the regions are told", async () => {
  const app = await startApp();
  const { databaseUrl, secretKey } = app;
  const acme = await createOrganization(app);
  await registerRegion(app, "eu", serverUrl("eu"));
  await grant(app, acme, "eu");
  await app.stop();
  const renewals = async () =>
    (await sql(databaseUrl, "select from tenantry.operations where kind = 'renew-subscriptions'")).length;
  const same = await startApp({ databaseUrl, secretKey });
  expect(await renewals()).toBe(0);
  await same.stop();
  const elsewhere = await startApp({ databaseUrl: databaseUrl.replace("127.0.0.1", "localhost"), secretKey });
  expect(await renewals()).toBe(1);
  await elsewhere.stop();
});
