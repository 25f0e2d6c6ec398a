/** A collector of traces (OTLP over HTTP, as JSON): keeps what programs send to it. */
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";

/** As OTLP has them. */
export const SPAN_KIND = { internal: 1, server: 2, client: 3, consumer: 5 } as const;

export type ReceivedSpan = {
  traceId: string;
  spanId: string;
  parentSpanId: string | undefined;
  traceState: string | undefined;
  name: string;
  kind: number;
  attributes: Record<string, unknown>;
  isError: boolean;
  service: unknown;
};

type Value = { stringValue?: string; intValue?: number; boolValue?: boolean; arrayValue?: { values: Value[] } };
type Pairs = { key: string; value: Value }[];
type Sent = {
  resourceSpans: {
    resource: { attributes: Pairs };
    scopeSpans: {
      spans: {
        traceId: string;
        spanId: string;
        parentSpanId?: string;
        traceState?: string;
        name: string;
        kind: number;
        attributes: Pairs;
        status: { code?: number };
      }[];
    }[];
  }[];
};

export class TraceCollector implements AsyncDisposable {
  readonly spans: ReceivedSpan[] = [];
  readonly headers: IncomingHttpHeaders[] = [];
  /** All that came, as text. */
  text = "";
  readonly #server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      this.#take(request.headers, Buffer.concat(chunks));
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
    });
  });

  static async start(port = 0): Promise<TraceCollector> {
    const collector = new TraceCollector();
    await new Promise<void>((resolve) => collector.#server.listen(port, "127.0.0.1", resolve));
    return collector;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  of(traceId: string): ReceivedSpan[] {
    return this.spans.filter((span) => span.traceId === traceId);
  }

  #take(headers: IncomingHttpHeaders, body: Buffer): void {
    this.headers.push(headers);
    const text = (headers["content-encoding"] === "gzip" ? gunzipSync(body) : body).toString();
    this.text += `${text}\n`;
    for (const { resource, scopeSpans } of (JSON.parse(text) as Sent).resourceSpans)
      for (const { spans } of scopeSpans)
        for (const { traceId, spanId, parentSpanId, traceState, name, kind, attributes, status } of spans)
          this.spans.push({
            traceId,
            spanId,
            parentSpanId: parentSpanId === "" ? undefined : parentSpanId,
            traceState,
            name,
            kind,
            attributes: read(attributes),
            isError: status.code === 2,
            service: read(resource.attributes)["service.name"],
          });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function read(pairs: Pairs): Record<string, unknown> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, valueOf(value)]));
}

function valueOf({ stringValue, intValue, boolValue, arrayValue }: Value): unknown {
  return stringValue ?? intValue ?? boolValue ?? arrayValue?.values.map(valueOf);
}
