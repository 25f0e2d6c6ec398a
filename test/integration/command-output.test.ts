/** What commands print for people and for scripts. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { serverUrl, startApp, type TestApp } from "../support/app.ts";
import { runCommand } from "../support/command.ts";
import { eventually } from "../support/journey.ts";

let app: TestApp;
let organizationId: string;
let placementId: string;
beforeAll(async () => {
  app = await startApp();
  await json(["region", "add", "eu", "--url", serverUrl("eu")]);
  organizationId = (await json(["org", "create", "Acme"])).id;
  placementId = (await json(["grant", organizationId, "eu"])).id;
});
afterAll(() => app.stop());

const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;
const MOMENT = /\d{4}-\d\d-\d\dT[\d:.]+Z/g;

/** Output without what is another one each time. Blanks of columns count as one. */
async function shown(...args: string[]): Promise<string[]> {
  const { output, errors } = await runCommand(app, args);
  expect(errors).toBe("");
  const same = output.replaceAll(UUID, "ID").replaceAll(MOMENT, "MOMENT").replaceAll(/ {2,}/g, "  ");
  return same.trimEnd().split("\n");
}

async function json<Data = any>(args: string[]): Promise<Data> {
  const { output, errors } = await runCommand(app, [...args, "--json"]);
  expect(errors).toBe("");
  return JSON.parse(output) as Data;
}

test("tables have headings", async () => {
  expect(await shown("region", "list")).toEqual([
    "KEY  NAME  SERVER  SUBSCRIPTIONS",
    `eu  eu  ${new URL(serverUrl("eu")).host}  SUPERUSER`,
  ]);
  expect(await shown("org", "list")).toEqual(["ID  NAME  MADE", "ID  Acme  MOMENT"]);
  expect(await shown("key", "list")).toEqual(["No keys."]);
  const made = await runCommand(app, ["key", "create", "--operator", "--name", "first"]);
  expect(made.errors).toMatch(/^Key .* until .*It is not shown again\.\n$/);
  expect(await shown("key", "list")).toEqual(["ID  STATE  ENDS  ROLE  NAME", "ID  good  MOMENT  operator  first"]);
  const { keys } = await json(["key", "list"]);
  expect((await runCommand(app, ["key", "revoke", keys[0].id])).output).toBe("Revoked: first.\n");
});

test("placements are listed with their ids, organizations, regions, states, sizes and versions", async () => {
  const [headings, line, ...more] = await shown("placement", "list");
  expect(headings).toBe("ID  ORGANIZATION  REGION  STATE  ISOLATION  SIZE  VERSION");
  expect(line).toMatch(/^ID {2}Acme {2}eu {2}ACTIVE {2}DEDICATED {2}[\d.]+ MB {2}\d+$/);
  expect(more).toEqual([]);
  const { placements } = await json(["placement", "list", "--organization", organizationId, "--region", "eu"]);
  expect(placements).toMatchObject([{ id: placementId, organizationName: "Acme", regionKey: "eu", failure: null }]);
  expect(placements[0].sizeBytes).toBeGreaterThan(1_000_000);
  expect(await shown("placement", "list", "--organization", placementId)).toEqual(["No placements."]);
});

test("users are made, found, listed and erased", async () => {
  expect(await shown("user", "create", "Ada@example.com", "--name", "Ada")).toEqual([
    "ID  E-MAIL  NAME  MADE",
    "ID  Ada@example.com  Ada  MOMENT",
  ]);
  expect(await shown("user", "find", "ada@EXAMPLE.com")).toContain("ID  Ada@example.com  Ada  MOMENT");
  expect((await json(["user", "list"])).users).toMatchObject([{ name: "Ada" }]);
  const { id } = await json(["user", "find", "ada@example.com"]);
  expect(await runCommand(app, ["user", "erase", id, "--confirm", "bob@example.com"])).toMatchObject({
    code: 1,
    errors: "--confirm must be the e-mail address of the user with this id.\n",
  });
  expect(await shown("user", "erase", id, "--confirm", "ada@example.com")).toEqual(["Erased everywhere."]);
  expect((await runCommand(app, ["user", "find", "ada@example.com"])).errors).toBe("User not found.\n");
});

test("members are added, listed, given another role and removed", async () => {
  const { id } = await json(["user", "create", "bob@example.com", "--name", "Bob"]);
  expect((await runCommand(app, ["member", "change-role", organizationId, id, "--role", "ADMIN"])).errors).toBe(
    "Member not found.\n",
  );
  const headings = "USER  ROLE  E-MAIL  NAME  JOINED";
  expect(await shown("member", "add", organizationId, id)).toEqual([
    headings,
    "ID  MEMBER  bob@example.com  Bob  MOMENT",
  ]);
  expect(await shown("member", "change-role", organizationId, id, "--role", "ADMIN")).toEqual([
    headings,
    "ID  ADMIN  bob@example.com  Bob  MOMENT",
  ]);
  expect((await json(["member", "list", organizationId])).members).toMatchObject([{ userId: id, role: "ADMIN" }]);
  const found = async (...search: string[]) => (await json(["member", "list", organizationId, ...search])).members;
  expect(await found("--role", "ADMIN", "--name", "X")).toEqual([]);
  expect(await found("--role", "OWNER")).toEqual([]);
  const { name } = (await found())[0];
  expect(await found("--role", "ADMIN", "--name", name.slice(0, 2).toUpperCase())).toHaveLength(1);
  expect(await shown("member", "remove", organizationId, id)).toEqual(["Removed."]);
  expect(await shown("member", "list", organizationId)).toEqual(["No members."]);
});

test("invitations are made without a mail, listed and withdrawn", async () => {
  const { invitation, token } = await json(["invite", "create", organizationId, "eve@example.com", "--role", "VIEWER"]);
  expect(token).toMatch(/^[\w-]{43}$/);
  expect(await shown("invite", "list", organizationId)).toEqual([
    "ID  E-MAIL  ROLE  ENDS",
    "ID  eve@example.com  VIEWER  MOMENT",
  ]);
  expect(await shown("invite", "withdraw", invitation.id)).toEqual(["Withdrawn: eve@example.com."]);
  expect(await shown("invite", "list", organizationId)).toEqual(["No invitations."]);
  const printed = await runCommand(app, ["invite", "create", organizationId, "eve@example.com"]);
  expect(printed.output).toMatch(/^[\w-]{43}\n$/);
  expect(printed.errors).toMatch(/for eve@example\.com only\. The token is not shown again\.\n$/);
});

test("the status is one screen, and says who carries the regions", async () => {
  const lines = await shown("status");
  expect(lines[0]).toMatch(/^Tenantry \d+\.\d+\.\d+, schema version \d+ of tenant databases$/);
  expect(lines[1]).toBe("SERVER  ADDRESS  POSTGRESQL  PLACEMENTS  REPLICATION");
  expect(lines[2]).toMatch(/^home {2}127\.0\.0\.1:\d+ {2}\d+\.\d+.* {2}0 {2}-$/);
  expect(lines[3]).toMatch(/^eu {2}127\.0\.0\.1:\d+ {2}\d+\.\d+.* {2}1 {2}carried$/);
  expect(lines.slice(4)).toEqual([
    "1 placement",
    "Jobs: 0 waiting, 0 running, 0 failed",
    "All well. tenantry doctor looks closer.",
  ]);
  await app.stop();
  const away = await json(["status"]);
  expect(away.healthy).toBe(false);
  expect(away.wrong).toEqual([
    "eu: no worker carries its replication. Start Tenantry, or a process with the role worker.",
  ]);
  app = await startApp({ databaseUrl: app.databaseUrl, secretKey: app.secretKey });
});

test("with --json an error is an object on standard error, with its code", async () => {
  const refused = await runCommand(app, ["region", "check", "nowhere", "--json"]);
  expect(refused).toMatchObject({ code: 1, output: "" });
  expect(JSON.parse(refused.errors)).toEqual({
    error: { code: "NOT_FOUND", message: "There is no region with the key nowhere." },
  });
  const field = await runCommand(app, ["user", "find", "ada", "--json"]);
  expect(JSON.parse(field.errors)).toMatchObject({ error: { code: "INVALID_INPUT", field: "email" } });
});

test("in a terminal a connection URL is asked for and not shown", async () => {
  const url = serverUrl("us");
  const { password } = new URL(url);
  const command = `${process.execPath} ${fileURLToPath(new URL("../../bin/tenantry.js", import.meta.url))} region add us`;
  const env = { ...process.env, DATABASE_URL: app.databaseUrl, TENANTRY_SECRET_KEY: app.secretKey };
  // It gives the command a terminal.
  const terminal = spawn("script", ["-qec", command, "/dev/null"], { env, stdio: ["pipe", "pipe", "pipe"] });
  const ended = once(terminal, "close");
  let screen = "";
  terminal.stdout.on("data", (chunk: Buffer) => (screen += chunk.toString()));
  expect(await eventually(async () => screen.includes("Connection URL of the server (it is not shown): "))).toBe(true);
  terminal.stdin.write(`${url}x\u007f\r`);
  expect(await ended).toEqual([0, null]);
  expect(screen).not.toContain(password);
  expect(screen).toMatch(/us +us +127\.0\.0\.1/);
});
