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

function recordAnswers(): void {
  // oxlint-disable-next-line unbound-method -- called with the right `this` below
  const { write, end } = ServerResponse.prototype;
  const parts = new WeakMap<ServerResponse, string[]>();
  const take = (response: ServerResponse, chunk: unknown) => {
    if (!parts.has(response)) {
      const all: string[] = [];
      parts.set(response, all);
      response.once("close", () => {
        // The explorer's pages come compressed; in development they show the regions' URLs on purpose.
        if (response.getHeader("content-encoding") !== undefined) return;
        recordSaid(runFolder, `an answer to ${response.req.url}`, all.join(""));
      });
      if (isIdentityProvider(response.req.socket.localPort)) parts.set(response, []);
    }
    if (typeof chunk === "string") parts.get(response)?.push(chunk);
    else if (chunk instanceof Uint8Array) parts.get(response)?.push(Buffer.from(chunk).toString());
  };
  ServerResponse.prototype.write = function (this: ServerResponse, ...args: unknown[]) {
    take(this, args[0]);
    return Reflect.apply(write, this, args) as boolean;
  };
  ServerResponse.prototype.end = function (this: ServerResponse, ...args: unknown[]) {
    take(this, args[0]);
    return Reflect.apply(end, this, args) as ServerResponse;
  } as typeof end;
}

function recordEvents(): void {
  // oxlint-disable-next-line unbound-method -- called with the right `this` below
  const { send } = WebSocket.prototype;
  WebSocket.prototype.send = function (this: WebSocket, ...args: unknown[]) {
    if (typeof args[0] === "string") recordSaid(runFolder, "a web socket", args[0]);
    return Reflect.apply(send, this, args) as undefined;
  } as typeof send;
}

/** What other processes answer; and the tokens that requests show. */
function recordFetches(): void {
  // oxlint-disable-next-line unbound-method -- called with the right `this` below
  const { text } = Response.prototype;
  Response.prototype.text = async function (this: Response) {
    const body = await text.call(this);
    const isPage = this.headers.get("content-type")?.includes("text/html") === true;
    if (!isPage && this.url !== "" && !isIdentityProvider(Number(new URL(this.url).port)))
      recordSaid(runFolder, `an answer of ${new URL(this.url).pathname}`, body);
    return body;
  };
  Response.prototype.json = async function (this: Response) {
    return JSON.parse(await this.text()) as unknown;
  };
  const plainFetch = globalThis.fetch;
  globalThis.fetch = (input, init) => {
    const token = new Headers(init?.headers).get("authorization")?.replace(/^\w+ /, "") ?? "";
    if (token.length >= MIN_TOKEN_LENGTH) recordSecret(runFolder, token);
    return plainFetch(input, init);
  };
}

/** What our programs print and log in processes of their own. */
function recordOutput(): void {
  type Spawns = { spawn: (options: { args?: string[] }) => unknown };
  const prototype = ChildProcess.prototype as unknown as Spawns;
  const { spawn } = prototype;
  prototype.spawn = function (this: Spawns & ChildProcess, options) {
    const result = spawn.call(this, options);
    const command = (options.args ?? []).slice(0, 3).join(" ");
    if (OUR_PROGRAMS.test(command))
      for (const stream of [this.stdout, this.stderr]) if (stream !== null) recordStream(stream);
    return result;
  };
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
  const prototype = pg.Client.prototype as unknown as { connect: (...args: unknown[]) => unknown };
  const { connect } = prototype;
  const known = new Set<string>();
  prototype.connect = function (this: { password?: unknown }, ...args) {
    const { password } = this;
    if (typeof password === "string" && !known.has(password)) {
      known.add(password);
      recordSecret(runFolder, password);
    }
    return connect.apply(this, args);
  };
}
