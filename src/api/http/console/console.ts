/**
 * The console: the operator's page at /console, as Vite has built it. It is sent from this process, works offline, and asks
 * the public GraphQL API as any client does. The files hold nothing about an installation, so they are sent to whoever asks.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline, Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { type BuiltFile, findBuiltConsole, readBuiltFile } from "#api/http/console/built-files";
import { takesGzip } from "#api/http/takes-gzip";

export type ConsoleOptions = {
  /** Whether there is a page at all. */
  isServed: boolean;
  /** Where the built files lie; left out: where the build puts them. For tests. */
  folder?: string | undefined;
};

export type ConsolePages = {
  /** Answers requests for the console's files; false for any other. */
  handle: (request: IncomingMessage, response: ServerResponse) => boolean;
};

const ROOT = "/console";
/** Names of files with a hash of their content: another content has another name. */
const ASSETS = `${ROOT}/assets/`;
const INDEX = "index.html";

/**
 * Scripts and styles come from here only, none stands in the page, and the page speaks to nobody else. No other page
 * may show it within itself.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const NOT_BUILT =
  "The console is not built. In a checkout, tenantry start builds it; otherwise run: npx pnpm@12 run build:console\n";

export function createConsole({ isServed, folder }: ConsoleOptions): ConsolePages {
  const files = new Map<string, BuiltFile>();
  return {
    handle: (request, response) => {
      const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
      if (!isServed || (path !== ROOT && !path.startsWith(`${ROOT}/`))) return false;
      // HEAD comes as GET: see the server.
      if (request.method !== "GET") {
        response.writeHead(405, { allow: "GET, HEAD" }).end();
        return true;
      }
      // Looked for each time, as a checkout's may be built while the process runs.
      const built = folder ?? findBuiltConsole();
      if (built === undefined) {
        answer(response, 503, NOT_BUILT);
        return true;
      }
      // An address within the page, such as /console/jobs, is the page's own.
      const name = path.startsWith(ASSETS) ? path.slice(ROOT.length + 1) : INDEX;
      const file = (name === INDEX ? undefined : files.get(name)) ?? readBuiltFile(built, name);
      if (file === undefined) answer(response, 404, "There is no such file in the console.\n");
      else {
        if (name !== INDEX) files.set(name, file);
        send(request, response, file, name === INDEX);
      }
      return true;
    },
  };
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(text);
}

function send(request: IncomingMessage, response: ServerResponse, file: BuiltFile, isPage: boolean): void {
  const isZipped = takesGzip(request.headers["accept-encoding"]);
  response.writeHead(200, {
    "content-type": file.type,
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    // The page names the files, so it is asked for each time; a file is never another one.
    "cache-control": isPage ? "no-store" : "public, max-age=31536000, immutable",
    vary: "accept-encoding",
    ...(isZipped ? { "content-encoding": "gzip", "content-length": file.zipped.length } : {}),
  });
  if (isZipped) return void response.end(file.zipped);
  pipeline(Readable.from([file.zipped]), createGunzip(), response, () => undefined);
}
