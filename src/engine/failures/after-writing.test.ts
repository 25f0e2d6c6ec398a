import { expect, test } from "vitest";
import { currentCall } from "#base/kernel/call";
import { TenantryError } from "#base/kernel/errors";
import { noteFailedAt } from "#base/postgres/failed-at";
import { changing } from "#engine/failures/after-writing";
import { explainToCaller } from "#engine/failures/explain";

function away(kind: "home" | "tenant"): Error {
  const error = Object.assign(new Error("terminating connection"), { code: "57P01" });
  noteFailedAt(error, { kind, server: "localhost:5432", database: "d", role: "r", isConnecting: false });
  return error;
}
const wrote = () => currentCall()?.wrote?.();
const failure = (work: () => Promise<unknown>) =>
  changing(work).then(
    () => undefined,
    (error: unknown) => error,
  );

const LOOK = /may have happened: look whether it has, before you do it again\.$/;

test.each([
  ["HOME_UNAVAILABLE", "home"],
  ["REGION_UNAVAILABLE", "tenant"],
] as const)("a change that has written, and then met %s, is not to be tried again", async (code, kind) => {
  const said = explainToCaller(away(kind)) ?? new Error("nothing is said of it");
  for (const error of [away(kind), said])
    expect(
      await failure(async () => {
        wrote();
        return Promise.reject(error);
      }),
    ).toMatchObject({ code, message: expect.stringMatching(LOOK) as string, retryAfterSeconds: undefined });
});

test("one that has written nothing fails as it did", async () => {
  const error = away("home");
  expect(await failure(() => Promise.reject(error))).toBe(error);
});

test("what was refused stays refused, and a fault stays a fault", async () => {
  for (const error of [new TenantryError("CONFLICT", "It is there."), new Error("a fault")])
    expect(
      await failure(async () => {
        wrote();
        throw error;
      }),
    ).toBe(error);
});

test("whoever is around hears of what was written too", async () => {
  const heard: string[] = [];
  await changing(
    () => changing(async () => wrote()),
    () => heard.push("outer"),
  );
  expect(heard).toEqual(["outer"]);
});
