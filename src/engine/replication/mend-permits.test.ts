import { expect, test } from "vitest";
import { MAX_MENDS, MAX_MENDS_OF_REGION, MendPermits } from "#engine/replication/mend-permits";

const NEVER = new AbortController().signal;
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Regions that mend; says which of their works have begun, in order. */
function setUp(permits?: number) {
  const mends = new MendPermits(permits);
  const begun: string[] = [];
  const regions = new Map<string, object>();
  const mend = (region: string, stop = NEVER) => {
    const end = Promise.withResolvers<void>();
    const key = regions.get(region) ?? {};
    regions.set(region, key);
    const done = mends.withPermit(key, stop, () => {
      begun.push(region);
      return end.promise;
    });
    return { done, end };
  };
  return { begun, mend };
}

test("regions with much to mend leave permits to the others, however long theirs take", async () => {
  const { begun, mend } = setUp();
  for (let link = 0; link < 10; link += 1) for (const region of ["a", "b"]) void mend(region).done;
  for (const region of ["c", "d", "e"]) void mend(region).done;
  await turn();
  const count = (region: string) => begun.filter((other) => other === region).length;
  expect(count("a")).toBe(MAX_MENDS_OF_REGION);
  expect(count("b")).toBe(MAX_MENDS_OF_REGION);
  expect(["c", "d", "e"].map(count)).toEqual([1, 1, 1]);
  for (let link = 0; link < 10; link += 1) for (const region of ["f", "g", "h"]) void mend(region).done;
  await turn();
  expect(begun).toHaveLength(MAX_MENDS);
});

test("a permit goes to the region that has waited longest and may have it, also after a failure", async () => {
  const { begun, mend } = setUp(1);
  const first = mend("a");
  const others = [mend("b"), mend("a"), mend("c")];
  await turn();
  expect(begun).toEqual(["a"]);
  first.end.reject(new Error("no"));
  await expect(first.done).rejects.toThrow("no");
  for (const { end, done } of others) {
    end.resolve();
    await done;
  }
  expect(begun).toEqual(["a", "b", "a", "c"]);
});

test("waiting for a permit ends with the carrier that waits, and takes none", async () => {
  const { begun, mend } = setUp(1);
  const first = mend("a");
  const stop = new AbortController();
  const stopped = mend("b", stop.signal);
  const last = mend("c");
  stop.abort(new Error("carrier stopped"));
  await stopped.done;
  first.end.resolve();
  await first.done;
  last.end.resolve();
  await last.done;
  expect(begun).toEqual(["a", "c"]);
});
