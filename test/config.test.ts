import { describe, expect, test } from "vitest";
import { readConfig } from "../src/config.ts";

const BEARER = { TENANTRY_AUTH: "bearer" };
const OIDC = { ...BEARER, OIDC_ISSUER: "https://id.example.com", OIDC_AUDIENCE: "https://api.example.com" };

describe("development", () => {
  test.each(["127.0.0.1", "127.8.8.8", "::1", "localhost"])("listens on %s", (host) => {
    expect(readConfig({ HOST: host }).signIn).toEqual({ mode: "development" });
  });

  test.each(["0.0.0.0", "::", "192.168.1.7", "example.com", "127.0.0.1.example.com", "1127.0.0.1"])(
    "is refused on %s, also when it is asked for",
    (host) => {
      expect(() => readConfig({ HOST: host })).toThrow("TENANTRY_AUTH=bearer");
      expect(() => readConfig({ HOST: host, TENANTRY_AUTH: "development" })).toThrow("TENANTRY_AUTH=bearer");
    },
  );

  test.each([
    { OIDC_ISSUER: "https://id.example.com" },
    { OIDC_AUDIENCE: "api" },
    { TENANTRY_OPERATOR_CLAIM: "roles:operator" },
    { TENANTRY_OIDC_CREATE_USERS: "true" },
  ])("is refused beside %o, which means sign-in", (environment) => {
    expect(() => readConfig(environment)).toThrow("TENANTRY_AUTH=bearer");
  });
});

describe("bearer", () => {
  test("listens anywhere, with keys only unless an issuer is named", () => {
    const { host, signIn } = readConfig({ ...BEARER, HOST: "0.0.0.0" });
    expect(host).toBe("0.0.0.0");
    expect(signIn).toEqual({ mode: "bearer", oidc: undefined, createUsers: false, operatorClaim: undefined });
  });

  test("reads the issuer, and a claim whose name has a colon", () => {
    const claim = { TENANTRY_OPERATOR_CLAIM: "https://example.com/roles:tenantry-operator" };
    expect(readConfig({ ...OIDC, ...claim, TENANTRY_OIDC_CREATE_USERS: "true" }).signIn).toEqual({
      mode: "bearer",
      oidc: { issuer: "https://id.example.com", audience: "https://api.example.com" },
      createUsers: true,
      operatorClaim: { name: "https://example.com/roles", value: "tenantry-operator" },
    });
  });

  test.each([
    ["an issuer without an audience", { ...OIDC, OIDC_AUDIENCE: "" }, "together"],
    ["an audience without an issuer", { ...OIDC, OIDC_ISSUER: "" }, "together"],
    ["an issuer over plain http", { ...OIDC, OIDC_ISSUER: "http://id.example.com" }, "https"],
    ["an issuer that is no URL", { ...OIDC, OIDC_ISSUER: "id.example.com" }, "https"],
    ["a claim without an issuer", { ...BEARER, TENANTRY_OPERATOR_CLAIM: "roles:operator" }, "OIDC_ISSUER"],
    ["a claim without a value", { ...OIDC, TENANTRY_OPERATOR_CLAIM: "roles" }, "TENANTRY_OPERATOR_CLAIM"],
    ["another way to sign in", { TENANTRY_AUTH: "none" }, "TENANTRY_AUTH"],
    ["a name that is not known", { TENANTRY_AUTHENTICATION: "bearer" }, "TENANTRY_AUTHENTICATION"],
  ])("is refused with %s", (_, environment, words) => {
    expect(() => readConfig(environment)).toThrow(words);
  });

  test("takes an issuer over plain http on this machine", () => {
    expect(readConfig({ ...OIDC, OIDC_ISSUER: "http://127.0.0.1:9000" }).signIn).toMatchObject({
      oidc: { issuer: "http://127.0.0.1:9000" },
    });
  });
});

test("previous keys are a list", () => {
  expect(readConfig({ TENANTRY_SECRET_KEY_PREVIOUS: " a, b," }).previousSecretKeys).toEqual(["a", "b"]);
  expect(readConfig({}).previousSecretKeys).toEqual([]);
});

test("proxies are trusted only when it is said how many, and never without end", () => {
  expect(readConfig({}).trustedProxies).toBe(0);
  expect(readConfig({ TENANTRY_TRUST_PROXY: "2" }).trustedProxies).toBe(2);
  for (const wrong of ["-1", "1.5", "true", "11"])
    expect(() => readConfig({ TENANTRY_TRUST_PROXY: wrong })).toThrow("TENANTRY_TRUST_PROXY");
});
