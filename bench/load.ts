/**
 * Asks servers again and again over keep-alive connections, in a process of its own. Takes a `LoadOrder` as JSON on standard
 * input, prints a `LoadResult`. A client of its own over sockets: on the same cores as the server, `node:http`'s takes what the
 * server would need.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";

/** One request of the ones that are sent in turn. */
export type Sent = { path: string; headers: Record<string, string>; body: string };
export type LoadOrder = {
  /** Connections take these ports in turn. */
  ports: number[];
  connections: number;
  /** How long to ask at most. */
  seconds: number;
  requests: Sent[];
  /** Ask each request once and end, rather than all again and again. */
  once?: boolean;
};
/** Times in milliseconds. `failed`: answers that were no data. `cpuShare`: of one core, taken by the load itself. */
export type LoadResult = {
  answered: number;
  failed: number;
  seconds: number;
  bytes: number;
  latencies: number[];
  cpuShare: number;
};

type Answer = { status: number; body: Buffer };

async function run({ ports, connections, seconds, requests, once: onlyOnce }: LoadOrder): Promise<LoadResult> {
  const result: LoadResult = { answered: 0, failed: 0, seconds: 0, bytes: 0, latencies: [], cpuShare: 0 };
  const messages = requests.map(toMessage);
  const open = await Promise.all(
    Array.from({ length: connections }, (_, index) => Connection.open(ports[index % ports.length] ?? 0)),
  );
  const started = performance.now();
  const cpuBefore = process.cpuUsage();
  const until = started + seconds * 1_000;
  let turn = 0;
  const caller = async (connection: Connection) => {
    while (performance.now() < until && !(onlyOnce === true && turn >= messages.length)) {
      const message = messages[turn % messages.length];
      turn += 1;
      if (message === undefined) return;
      const began = performance.now();
      const { status, body } = await connection.ask(message);
      result.latencies.push(performance.now() - began);
      result.answered += 1;
      result.bytes += body.length;
      if (status === 200 && isData(body)) continue;
      result.failed += 1;
      if (result.failed === 1) process.stderr.write(`${status} ${body.toString("utf8", 0, 300)}\n`);
    }
  };
  await Promise.all(open.map(caller));
  result.seconds = (performance.now() - started) / 1_000;
  const { user, system } = process.cpuUsage(cpuBefore);
  result.cpuShare = (user + system) / 1e6 / result.seconds;
  for (const connection of open) connection.close();
  return result;
}

function toMessage({ path, headers, body }: Sent): Buffer {
  const lines = [`POST ${path} HTTP/1.1`, "host: 127.0.0.1", `content-length: ${Buffer.byteLength(body)}`];
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n${body}`);
}

/** An answer of GraphQL without errors. */
function isData(body: Buffer): boolean {
  return /^\{"data" ?: ?\{/.test(body.toString("latin1", 0, 16)) && !body.includes('"errors"');
}

/** One connection that asks one thing at a time. Knows as much of HTTP/1.1 as servers answer JSON with. */
class Connection {
  readonly #socket: Socket;
  #received: Buffer[] = [];
  #length = 0;
  /** Bytes without which the answer cannot be whole: it is not looked at before they are here. */
  #needed = 0;
  #settle: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (part: Buffer) => this.#take(part));
    socket.on("error", (error) => this.#settle?.reject(error));
    socket.on("close", () => this.#settle?.reject(new Error("the server closed the connection")));
  }

  static async open(port: number): Promise<Connection> {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    await once(socket, "connect");
    return new Connection(socket);
  }

  ask(message: Buffer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      this.#socket.write(message);
    });
  }

  close(): void {
    this.#settle = undefined;
    this.#socket.destroy();
  }

  #take(part: Buffer): void {
    this.#received.push(part);
    this.#length += part.length;
    if (this.#length < this.#needed) return;
    const all = this.#received.length === 1 ? part : Buffer.concat(this.#received);
    const answer = parseAnswer(all);
    if (typeof answer === "number") {
      this.#received = [all];
      this.#needed = answer;
      return;
    }
    this.#received = [];
    this.#length = 0;
    this.#needed = 0;
    this.#settle?.resolve(answer);
  }
}

const HEAD_END = "\r\n\r\n";

/** The answer, or how many bytes there must be at least before it is worth another look. */
function parseAnswer(bytes: Buffer): Answer | number {
  const headEnd = bytes.indexOf(HEAD_END);
  if (headEnd === -1) return bytes.length + 1;
  const head = bytes.toString("latin1", 0, headEnd + 2).toLowerCase();
  const status = Number(head.slice(9, 12));
  const start = headEnd + HEAD_END.length;
  const length = /\r\ncontent-length: *(\d+)\r\n/.exec(head)?.[1];
  if (length !== undefined) {
    const end = start + Number(length);
    return bytes.length < end ? end : { status, body: bytes.subarray(start, end) };
  }
  if (!/\r\ntransfer-encoding: *chunked\r\n/.test(head)) throw new Error(`an answer without a length:\n${head}`);
  const parts: Buffer[] = [];
  for (let at = start; ; ) {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd === -1) return bytes.length + 1;
    const size = Number(`0x${bytes.toString("latin1", at, lineEnd)}`);
    const from = lineEnd + 2;
    if (bytes.length < from + size + 2) return from + size + 2;
    if (size === 0) return { status, body: parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts) };
    parts.push(bytes.subarray(from, from + size));
    at = from + size + 2;
  }
}

if (import.meta.main) {
  const order = JSON.parse(await text(process.stdin)) as LoadOrder;
  process.stdout.write(JSON.stringify(await run(order)));
}
