/**
 * The explorer: GraphiQL, bundled so that it works offline, beside the journey's example operations. Everything is
 * served from this process; the pages are made once and kept compressed.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline, Readable } from "node:stream";
import { createGunzip, gzipSync } from "node:zlib";
import type { JourneyStep, Overview } from "#api/graphql/define-app";
import { takesGzip } from "#api/http/takes-gzip";

export type ExplorerOptions = {
  /** How callers sign in: by choosing whom to act as, or by pasting a token. */
  mode: "development" | "bearer";
  /** Whether there are pages at all. */
  isServed: boolean;
  /** The example operations. */
  journey: readonly JourneyStep[];
  /** What it counts of home and the regions; undefined: nothing. */
  overview?: Overview | undefined;
  /** By which the page notices that it talks to another home than before. */
  installation: string;
  /** Connection URLs to fill in where regions are registered, by key. They hold passwords: development only. */
  regionUrls?: Record<string, string>;
};

export type Explorer = {
  /** Answers requests for the explorer's pages; false for any other. */
  handle: (request: IncomingMessage, response: ServerResponse) => boolean;
};

type Page = { type: string; zipped: Buffer; etag: string; policy: string };

export function createExplorer(options: ExplorerOptions): Explorer {
  const pages = new Map<string, Promise<Page>>();
  const sources: Record<string, () => Promise<{ type: string; text: string }>> = {
    "/": async () => ({ type: "text/html", text: framePage(options) }),
    "/explorer/page.js": async () => ({ type: "text/javascript", text: asset("page.js") }),
    "/explorer/overview.js": async () => ({ type: "text/javascript", text: asset("overview.js") }),
    "/explorer/page.css": async () => ({ type: "text/css", text: asset("page.css") }),
    "/explorer/frame.js": async () => ({ type: "text/javascript", text: asset("frame.js") }),
    "/explorer/graphiql": async () => ({ type: "text/html", text: await graphiqlPage() }),
  };
  return {
    handle: (request, response) => {
      const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
      const source = sources[path];
      const isBrowser = request.method === "GET" && (request.headers.accept ?? "").includes("text/html");
      if (!options.isServed) return false;
      // A person who opens the endpoint in a browser wants the explorer.
      if (path === "/graphql" && isBrowser && !(request.url ?? "").includes("?")) {
        response.writeHead(302, { location: "./" }).end();
        return true;
      }
      if (source === undefined || request.method !== "GET") return false;
      // GET / is also GraphQL over HTTP: a query in the URL, or a client that asks for JSON.
      if (path === "/" && !isBrowser) return false;
      const page = pages.get(path) ?? source().then(compress);
      pages.set(path, page);
      page.then(
        (made) => send(request, response, made),
        () => {
          pages.delete(path);
          response.writeHead(500).end();
        },
      );
      return true;
    },
  };
}

function framePage({ mode, journey, overview, installation, regionUrls = {} }: ExplorerOptions): string {
  const home = createHash("sha256").update(installation).digest("base64url").slice(0, 16);
  // "<" could end the script element that holds the data.
  const data = JSON.stringify({ journey, overview, home, mode, regionUrls }).replaceAll("<", "\\u003c");
  return asset("page.html").replace("__DATA__", () => data);
}

async function graphiqlPage(): Promise<string> {
  // Nine megabytes of text: read when somebody opens the explorer, not at start.
  const { renderGraphiQL } = await import("@graphql-yoga/render-graphiql");
  const page = renderGraphiQL({
    endpoint: "/graphql",
    title: "GraphiQL",
    favicon: "data:,",
    defaultQuery: "",
    shouldPersistHeaders: false,
  });
  return page.replace("<head>", () => '<head><script src="/explorer/frame.js"></script>');
}

function asset(name: string): string {
  return readFileSync(new URL(name, import.meta.url), "utf8");
}

function compress({ type, text }: { type: string; text: string }): Page {
  const zipped = gzipSync(text);
  return {
    type: `${type}; charset=utf-8`,
    zipped,
    etag: createHash("sha256").update(zipped).digest("base64url"),
    policy: contentPolicy(text),
  };
}

/**
 * What the page may load: from here only, and of scripts in the page itself just those that we put there. GraphiQL's editor
 * makes its workers and its style sheets as it goes.
 */
function contentPolicy(text: string): string {
  const inline = [...text.matchAll(/<script(?: type="module")?>([\s\S]*?)<\/script>/g)].map(
    ([, script = ""]) => `'sha256-${createHash("sha256").update(script).digest("base64")}'`,
  );
  return [
    "default-src 'none'",
    ["script-src 'self'", ...inline].join(" "),
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "font-src 'self' data:",
    "connect-src 'self'",
    "worker-src 'self' blob:",
    "frame-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'self'",
  ].join("; ");
}

function send(request: IncomingMessage, response: ServerResponse, page: Page): void {
  const isZipped = takesGzip(request.headers["accept-encoding"]);
  const etag = isZipped ? `"${page.etag}"` : `"${page.etag}-plain"`;
  // The browser asks each time whether it is still the same, and nearly always gets no body.
  const headers = {
    etag,
    "cache-control": "private, no-cache",
    vary: "accept, accept-encoding",
    "content-security-policy": page.policy,
  };
  if (request.headers["if-none-match"] === etag) {
    response.writeHead(304, headers).end();
    return;
  }
  response.writeHead(200, {
    ...headers,
    "content-type": page.type,
    ...(isZipped ? { "content-encoding": "gzip", "content-length": page.zipped.length } : {}),
  });
  if (isZipped) return void response.end(page.zipped);
  // Programs such as curl take no gzip. The large pages are unpacked as they are sent.
  pipeline(Readable.from([page.zipped]), createGunzip(), response, () => undefined);
}
