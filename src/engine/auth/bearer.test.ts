import { describe, expect, test } from "vitest";
import { hasClaim, readBearerToken } from "#engine/auth/bearer";

describe("the operator's claim", () => {
  const value = "operator";
  test.each([
    ["a value", { role: "operator" }, "role"],
    ["one of a list", { roles: ["a", "operator"] }, "roles"],
    ["in another claim", { realm_access: { roles: ["operator"] } }, "realm_access.roles"],
    ["with dots in its name", { "https://example.com/roles": ["operator"] }, "https://example.com/roles"],
  ])("is found as %s", (_, claims, name) => {
    expect(hasClaim(claims, { name, value })).toBe(true);
  });

  test.each([
    ["it is missing", {}, "roles"],
    ["it is part of a value", { roles: "operator-2" }, "roles"],
    ["it is part of a text with several", { scope: "read operator" }, "scope"],
    ["it is nested deeper", { roles: [["operator"]] }, "roles"],
    ["it is only inherited", {}, "constructor.name"],
    ["a value is in the way", { realm_access: "operator" }, "realm_access.roles"],
    ["it is null", { realm_access: null }, "realm_access.roles"],
  ])("is not found when %s", (_, claims, name) => {
    expect(hasClaim(claims, { name, value })).toBe(false);
  });
});

describe("the token of a header", () => {
  test.each([
    ["Bearer abc", "abc"],
    ["bearer  a.b-c_d~e+f/g= ", "a.b-c_d~e+f/g="],
    ["Bearer", undefined],
    ["Bearer ", undefined],
    ["Basic abc", undefined],
    ["Bearer a b", undefined],
    ["xBearer abc", undefined],
    ["Bearer ä", undefined],
    [`Bearer ${"x".repeat(8_192)}`, undefined],
    [null, undefined],
  ])("%s", (header, token) => {
    expect(readBearerToken(header)).toBe(token);
  });
});
