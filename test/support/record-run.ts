/**
 * Set up in every worker that talks to servers: fills the run's record without any test having to think of it. Answers
 * are taken where Node's HTTP server, the web sockets and `fetch` pass them, output where our programs' pipes are read,
 * secrets where the driver signs in and where requests carry a token.
 */
import { ChildProcess } from "node:child_process";
import { ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import pg from "pg";
import { inject } from "vitest";
import { WebSocket } from "ws";
import { isIdentityProvider } from "./identity-provider-ports.ts";
import { recordSaid, recordSecret } from "./run-record.ts";

const PATCHED = Symbol.for("tenantry.record-run");
const OUR_PROGRAMS = /bin\/tenantry\.js|tenantry-process\.ts|worker-to-crash\.ts/;
/** What is shorter was made up by a test. */
const MIN_TOKEN_LENGTH = 40;

const runFolder = inject("runFolder");

if (!(PATCHED in globalThis)) {
  Object.assign(globalThis, { [PATCHED]: true });
  recordAnswers();
  recordEvents();
  recordFetches();
  recordOutput();
  recordPasswords();
}

/** Puts something around a method, for every object of the class. `original` calls it as it was called. */
function around<Self extends object>(
  prototype: Self,
  name: string,
  wrap: (self: Self, args: unknown[], original: () => unknown) => unknown,
): void {
  const method = Reflect.get(prototype, name) as (...args: unknown[]) => unknown;
  Reflect.set(prototype, name, function (this: Self, ...args: unknown[]) {
    return wrap(this, args, () => Reflect.apply(method, this, args));
  });
}

function recordAnswers(): void {
  const parts = new WeakMap<ServerResponse, string[]>();
  const take = (response: ServerResponse, chunk: unknown) => {
    if (isIdentityProvider(response.req.socket.localPort)) return;
    const known = parts.get(response);
    const all = known ?? [];
    parts.set(response, all);
    if (typeof chunk === "string") all.push(chunk);
    else if (chunk instanceof Uint8Array) all.push(Buffer.from(chunk).toString());
    if (known !== undefined) return;
    response.once("close", () => {
      // The explorer's pages come compressed; in development they show the regions' URLs on purpose.
      if (response.getHeader("content-encoding") !== undefined) return;
      recordSaid(runFolder, `an answer to ${response.req.url}`, all.join(""));
    });
  };
  for (const name of ["write", "end"])
    around(ServerResponse.prototype, name, (response, [chunk], original) => {
      take(response, chunk);
      return original();
    });
}

function recordEvents(): void {
  around(WebSocket.prototype, "send", (_, [text], original) => {
    if (typeof text === "string") recordSaid(runFolder, "a web socket", text);
    return original();
  });
}

/** What other processes answer; and the tokens that requests show. */
function recordFetches(): void {
  around(Response.prototype, "text", async ({ headers, url }, _, original) => {
    const body = await (original() as Promise<string>);
    const isPage = headers.get("content-type")?.includes("text/html") === true;
    if (!isPage && url !== "" && !isIdentityProvider(Number(new URL(url).port)))
      recordSaid(runFolder, `an answer of ${new URL(url).pathname}`, body);
    return body;
  });
  around(Response.prototype, "json", async (response) => JSON.parse(await response.text()) as unknown);
  around(globalThis, "fetch", (_, args, original) => {
    const init = args[1] as RequestInit | undefined;
    const token = new Headers(init?.headers).get("authorization")?.replace(/^\w+ /, "") ?? "";
    if (token.length >= MIN_TOKEN_LENGTH) recordSecret(runFolder, token);
    return original();
  });
}

/** What our programs print and log in processes of their own. */
function recordOutput(): void {
  around(ChildProcess.prototype, "spawn", (child, [options], original) => {
    const result = original();
    const command = ((options as { args?: string[] }).args ?? []).slice(0, 3).join(" ");
    if (OUR_PROGRAMS.test(command))
      for (const stream of [child.stdout, child.stderr]) if (stream !== null) recordStream(stream);
    return result;
  });
}

// Where the pipe is read: a listener would make it flow before whoever started the program listens.
function recordStream(stream: Readable): void {
  const push = stream.push.bind(stream);
  let rest = "";
  stream.push = (chunk: unknown, encoding?: BufferEncoding) => {
    const lines = `${rest}${chunk instanceof Uint8Array ? Buffer.from(chunk).toString() : ""}`.split("\n");
    rest = chunk === null ? "" : (lines.pop() ?? "");
    if (lines.some((line) => line !== "")) recordSaid(runFolder, "output", lines.join("\n"));
    return push(chunk, encoding);
  };
}

/** Every password that a connection is opened with, by us or by a test, also the wrong ones. */
function recordPasswords(): void {
  const known = new Set<string>();
  around(pg.Client.prototype as pg.Client & { password?: unknown }, "connect", ({ password }, _, original) => {
    if (typeof password === "string" && !known.has(password)) {
      known.add(password);
      recordSecret(runFolder, password);
    }
    return original();
  });
}
