import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";

/**
 * Bounds a request's body. One that says its length is refused by it; one that comes in chunks is read here, and left for
 * the next to read. "gone": the caller hung up meanwhile.
 */
export async function boundBody(request: IncomingMessage, maxBytes: number): Promise<"fits" | "too large" | "gone"> {
  const { headers } = request;
  if (headers["transfer-encoding"] === undefined)
    return Number(headers["content-length"] ?? 0) > maxBytes ? "too large" : "fits";
  const body = await readWithin(request, maxBytes);
  if (typeof body === "string") return body;
  // Where Yoga looks for a body that was read already.
  Object.assign(request, { body: Readable.from([body]) });
  return "fits";
}

function readWithin(request: IncomingMessage, maxBytes: number): Promise<Buffer | "too large" | "gone"> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const finish = (result: Buffer | "too large" | "gone") => {
      request.off("data", take);
      request.pause();
      resolve(result);
    };
    const take = (chunk: Buffer) => {
      bytes += chunk.length;
      chunks.push(chunk);
      if (bytes > maxBytes) finish("too large");
    };
    request.on("data", take);
    request.once("end", () => finish(Buffer.concat(chunks)));
    request.once("error", () => finish("gone"));
    request.once("close", () => finish("gone"));
  });
}
