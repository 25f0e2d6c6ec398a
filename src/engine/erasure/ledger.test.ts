import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import type { Queryable } from "#base/postgres/database";
import { readLedger } from "#engine/erasure/ledger";

const border = { proofOf: (text: string) => Buffer.from(text.slice(0, 32)) };
type Line = { userId: string; id: string; done: boolean; proof: Buffer };
const forged = (userId: string): Line => ({ userId, id: randomUUID(), done: true, proof: Buffer.alloc(32) });
/** The nth user in the order of ids. */
const user = (n: number) => `10000000-0000-4000-8000-${String(n).padStart(12, "0")}`;

/** How many lines are taken of a server that answers with these, or the code of what is thrown. */
async function read(page: (call: number) => Line[]): Promise<unknown> {
  let calls = 0;
  const database = { kind: "tenant", query: () => Promise.resolve(page(calls++)) } as unknown as Queryable<"tenant">;
  let lines = 0;
  try {
    for await (const one of readLedger(database, border)) lines += one.lines.length + one.forged;
    return lines;
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
}

test("a server's list of erasures has an end, and each line once", async () => {
  const page = (call: number) => Array.from({ length: 1_000 }, (_, n) => forged(user(call * 1_000 + n + 1)));
  expect(await read((call) => (call < 3 ? page(call) : []))).toBe(3_000);
  expect(await read(page)).toBe("REGION_UNAVAILABLE");
  expect(await read(() => [forged(user(2)), forged(user(2))])).toBe("REGION_UNAVAILABLE");
  expect(await read(() => [{ ...forged(user(1)), proof: Buffer.alloc(65) }])).toBe("REGION_UNAVAILABLE");
});
