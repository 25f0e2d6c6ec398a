import { createServer, connect, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { StreamReader } from "#engine/border/protocol/pgoutput";
import { carryStream } from "#engine/border/protocol/stream";
import { int32, message } from "#engine/border/protocol/wire";
import { waitFor } from "#base/kernel/wait";

const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

/** The two ends of one connection. */
async function pair(): Promise<[Socket, Socket]> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address() as { port: number };
  const taken = new Promise<Socket>((resolve) => server.once("connection", resolve));
  const ends: [Socket, Socket] = [connect(address.port, "127.0.0.1"), await taken];
  server.close();
  for (const end of ends) end.on("error", () => undefined);
  sockets.push(...ends);
  return ends;
}

const COPY_BOTH = message("W", Buffer.from([0, 0, 0]));
const MOMENT = Buffer.concat([int32(190_000), int32(0)]);
const wal = (body: Buffer, moment = MOMENT) =>
  message("d", Buffer.concat([Buffer.from("w"), Buffer.alloc(16), moment, body]));
const BEGIN = Buffer.concat([Buffer.from("B"), Buffer.alloc(20)]);
const COMMIT = Buffer.concat([Buffer.from("C"), Buffer.alloc(25)]);
const KEEPALIVE = message("d", Buffer.concat([Buffer.from("k"), Buffer.alloc(8), MOMENT, Buffer.from([0])]));

async function start({ beginMs = 60_000, transactionMs }: { beginMs?: number; transactionMs?: number } = {}) {
  const [publisher, toPublisher] = await pair();
  const [subscriber, toSubscriber] = await pair();
  let got = Buffer.alloc(0);
  subscriber.on("data", (chunk: Buffer) => {
    got = Buffer.concat([got, chunk]);
  });
  const end = carryStream(
    { subscriber: toSubscriber, early: Buffer.alloc(0), publisher: toPublisher, command: "START" },
    new StreamReader([], { checksText: true, takesStreams: false }),
    {
      passed: () => undefined,
      stallMs: 60_000,
      beginMs,
      transaction: transactionMs === undefined ? undefined : { ms: transactionMs, mostMs: 900_000 },
      messageBytes: 16 * 1024 * 1024,
    },
  );
  return { publisher, toPublisher, subscriber, toSubscriber, end, got: () => got };
}

test("a publisher that does not begin is left", async () => {
  const { end } = await start({ beginMs: 50 });
  expect(await end).toEqual({ kind: "ended" });
});

test("a transaction that does not come to its end is a breach, whatever is said in it", async () => {
  const { publisher, end } = await start({ transactionMs: 50 });
  publisher.write(Buffer.concat([COPY_BOTH, wal(BEGIN)]));
  const talk = setInterval(() => publisher.write(KEEPALIVE), 10);
  const { kind, breach } = (await end) as { kind: string; breach: Error };
  clearInterval(talk);
  expect([kind, breach.message]).toEqual(["breach", "a transaction did not come to its end in time"]);
});

test("between transactions there is all the time, and a later one has its own", async () => {
  const { publisher, end, got } = await start({ transactionMs: 300, beginMs: 300 });
  publisher.write(Buffer.concat([COPY_BOTH, wal(BEGIN), wal(COMMIT), KEEPALIVE]));
  const whole = COPY_BOTH.length + wal(BEGIN).length + wal(COMMIT).length + KEEPALIVE.length;
  await expect.poll(() => got().length).toBe(whole);
  let isOver = false;
  void end.then(() => (isOver = true));
  expect(await waitFor(async () => (isOver ? true : undefined), { timeoutMs: 600 })).toBeUndefined();
  publisher.write(wal(BEGIN));
  expect(await end).toMatchObject({ kind: "breach" });
});

test("what came in front of the publisher's error arrives, and so does the error", async () => {
  const { publisher, end, got } = await start();
  const error = message("E", Buffer.from("SFATAL\0C57P01\0Mwords of the publisher\0\0"));
  publisher.write(Buffer.concat([COPY_BOTH, wal(BEGIN), wal(COMMIT), error]));
  expect(await end).toEqual({ kind: "publisher-failed", sqlState: "57P01" });
  await expect.poll(() => got().includes("57P01")).toBe(true);
  expect(got().includes(Buffer.concat([wal(BEGIN), wal(COMMIT)]))).toBe(true);
  expect(got().includes("words of the publisher")).toBe(false);
});

test("a moment that PostgreSQL could not show ends the stream", async () => {
  const { publisher, end } = await start();
  publisher.write(Buffer.concat([COPY_BOTH, wal(BEGIN, Buffer.from("8000000000000001", "hex"))]));
  expect(await end).toMatchObject({ kind: "breach" });
});

test("progress without end is not kept for a publisher that does not take it", async () => {
  const { publisher, subscriber, toPublisher, toSubscriber, got } = await start();
  publisher.write(COPY_BOTH);
  await expect.poll(() => got().length).toBe(COPY_BOTH.length);
  publisher.pause();
  const progress = message("d", Buffer.concat([Buffer.from("r"), Buffer.alloc(33)]));
  const many = Buffer.concat(Array.from({ length: 25_000 }, () => progress));
  const flood = () => {
    if (subscriber.destroyed) return;
    subscriber.write(many, flood);
  };
  flood();
  await expect.poll(() => toSubscriber.isPaused(), { timeout: 10_000 }).toBe(true);
  expect(toPublisher.writableLength).toBeLessThan(1_000_000);
});
