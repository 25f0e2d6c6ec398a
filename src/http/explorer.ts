import type { IncomingMessage, ServerResponse } from "node:http";
export type Explorer = { handle: (request: IncomingMessage, response: ServerResponse) => boolean };
export function createExplorer(_options: { regionUrls?: Record<string, string> }): Explorer {
  return { handle: () => false };
}
