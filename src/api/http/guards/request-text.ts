/** Refuses requests whose text would be read as another one: bytes that are not UTF-8, encodings that are not undone here. */
import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";

/** Why a request is not read, and with which status. */
export type Fault = { status: number; message: string };

/** What its headers say of a body that cannot be read here; undefined: nothing. */
export function faultOfHeaders({ headers, method }: IncomingMessage): Fault | undefined {
  const type = headers["content-type"] ?? "";
  // Form bodies pass without a CORS preflight, so a foreign page could send mutations in them.
  if (method === "POST" && !/^application\/(graphql\+)?json\b/i.test(type))
    return { status: 415, message: "POST takes application/json." };
  const charset = /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(type)?.[1];
  if (method === "POST" && charset !== undefined && !/^(utf-?8|us-ascii)$/i.test(charset))
    return { status: 415, message: "The body must be UTF-8." };
  const encoding = headers["content-encoding"];
  if (encoding !== undefined && !/^\s*(identity)?\s*$/i.test(encoding))
    return { status: 415, message: "The body must not be compressed: send it without content-encoding." };
  return undefined;
}

/** A decoder would put U+FFFD in the place of other bytes, which would be stored. */
export function faultOfBody(body: Buffer): Fault | undefined {
  return isUtf8(body) ? undefined : { status: 400, message: "The body is not UTF-8." };
}

/** Checks an operation in the URL: it must be UTF-8, and its `variables` and `extensions` must be JSON objects. */
export function faultOfUrl(url: string): Fault | undefined {
  const query = url.slice(url.indexOf("?") + 1);
  if (query === url) return undefined;
  const text = query.replace(/%([0-9a-f]{2})/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
  if (/[^\x20-\x7e]/.test(query) || !isUtf8(Buffer.from(text, "latin1")))
    return { status: 400, message: "The URL must be UTF-8, percent-encoded." };
  const parameters = new URLSearchParams(query);
  const name = ["variables", "extensions"].find((one) => !isObjectOrNothing(parameters.get(one)));
  return name === undefined ? undefined : { status: 400, message: `${name} must be a JSON object.` };
}

function isObjectOrNothing(text: string | null): boolean {
  if (text === null || text === "") return true;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && !Array.isArray(value);
  } catch {
    return false;
  }
}
