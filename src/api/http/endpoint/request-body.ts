import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";

/** Reads a request's body. One that says its length is refused by it. "gone": the caller hung up meanwhile. */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | "too large" | "gone"> {
  const { headers } = request;
  if (headers["transfer-encoding"] === undefined && Number(headers["content-length"] ?? 0) > maxBytes)
    return Promise.resolve("too large");
  return readWithin(request, maxBytes);
}

/** Leaves a body that was read for Yoga, where it looks for one. */
export function leaveBody(request: IncomingMessage, body: Buffer): void {
  Object.assign(request, { body: Readable.from([body]) });
}

function readWithin(request: IncomingMessage, maxBytes: number): Promise<Buffer | "too large" | "gone"> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const finish = (result: Buffer | "too large" | "gone") => {
      request.off("data", take);
      request.off("end", end);
      request.off("error", leave);
      request.off("close", leave);
      if (result === "too large") request.pause();
      resolve(result);
    };
    const take = (chunk: Buffer) => {
      bytes += chunk.length;
      chunks.push(chunk);
      if (bytes > maxBytes) finish("too large");
    };
    const end = () => finish(Buffer.concat(chunks));
    const leave = () => finish("gone");
    request.on("data", take);
    request.once("end", end);
    request.once("error", leave);
    request.once("close", leave);
  });
}
