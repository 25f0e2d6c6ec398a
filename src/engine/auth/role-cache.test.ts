import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { KeyActor } from "#engine/auth/actor";
import type { Role } from "#engine/auth/roles";
import { RoleCache } from "#engine/auth/role-cache";
import type { Queryable } from "#base/postgres/database";

let role: Role | null;
let asked: number;
let roleCache: RoleCache;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] });
  role = "MEMBER";
  asked = 0;
  const home: Queryable<"home"> = {
    kind: "home",
    query: async <Row extends object>() => {
      asked += 1;
      return (role === null ? [] : [{ organizationId: "o", role }]) as unknown as Row[];
    },
  };
  roleCache = new RoleCache(home);
});
afterEach(() => {
  vi.useRealTimers();
});

test("a role is asked for once, and again after a second", async () => {
  for (let index = 0; index < 3; index += 1) expect(await roleCache.memberRoleOf("o", "u")).toBe("MEMBER");
  expect(asked).toBe(1);
  role = null;
  vi.advanceTimersByTime(999);
  expect(await roleCache.memberRoleOf("o", "u")).toBe("MEMBER");
  vi.advanceTimersByTime(1);
  expect(await roleCache.memberRoleOf("o", "u")).toBeNull();
});

test("that there is none is asked anew each time", async () => {
  role = null;
  expect(await roleCache.memberRoleOf("o", "u")).toBeNull();
  role = "VIEWER";
  expect(await roleCache.memberRoleOf("o", "u")).toBe("VIEWER");
});

test("what was forgotten is asked anew, also when the question was under way", async () => {
  const underWay = roleCache.memberRoleOf("o", "u");
  roleCache.forget();
  role = "ADMIN";
  await underWay;
  expect(await roleCache.memberRoleOf("o", "u")).toBe("ADMIN");
  expect(asked).toBe(2);
});

test("a key's role is as old as its sign-in, and no member has it", async () => {
  const key: KeyActor = { kind: "key", keyId: "k", organizationId: "o", role: "OWNER" };
  roleCache.note(key, performance.now() - 600);
  expect((await roleCache.rolesOf(["o"], key)).get("o")).toBe("OWNER");
  expect(asked).toBe(0);
  role = null;
  expect(await roleCache.memberRoleOf("o", "k")).toBeNull();
  vi.advanceTimersByTime(400);
  expect((await roleCache.rolesOf(["o"], key)).get("o")).toBeNull();
});
