import { expect, test, vi } from "vitest";
import { Wakeup } from "#base/kernel/wakeup";
import type { Session } from "#base/postgres/database";
import { noteFailedAt } from "#base/postgres/failed-at";
import { type Leading, Tenure } from "#engine/links/tenure";
import type { Services } from "#engine/services";

/** A home that has these regions, whose locks are free. */
function homeWith(regions: readonly string[]): Session<"home"> {
  const query = (name: string) =>
    Promise.resolve(name === "regions.carried" ? regions.map((id) => ({ id })) : [{ taken: true }]);
  return { kind: "home", query, script: () => Promise.resolve([]) } as unknown as Session<"home">;
}

function away(server: string): Error {
  const error = new Error("it is away");
  noteFailedAt(error, { kind: "server", server, database: "postgres", role: "admin", isConnecting: true });
  return error;
}

test("a server that answers again has its own regions tried at once, and those of no other", async () => {
  vi.spyOn(performance, "now").mockReturnValue(0);
  const home = homeWith(["east", "west"]);
  const carry = vi.fn<Leading["carry"]>((regionId) => Promise.reject(away(`${regionId}:5432`)));
  const nothing = () => undefined;
  const tenure = new Tenure({ logger: { warn: nothing } } as unknown as Services, {
    held: {},
    wanted: new Wakeup(),
    stale: new Set(),
    carry,
    began: nothing,
    looked: nothing,
    taken: nothing,
    givingUp: nothing,
  });
  await tenure.look(home);
  // Both wait for their pause.
  await tenure.look(home);
  expect(carry.mock.calls).toEqual([["east"], ["west"]]);
  tenure.answers("west:5432");
  await tenure.look(home);
  await tenure.look(home);
  expect(carry.mock.calls.slice(2)).toEqual([["west"]]);
});
