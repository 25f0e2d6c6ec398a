import { expect, test } from "vitest";
import type { Actor } from "#engine/auth/actor";
import { callSourceOf } from "./entry.ts";

const CLIENT = { address: "203.0.113.7", userAgent: "curl" };
const USER: Actor = { kind: "user", userId: "the user" };
const KEY: Actor = { kind: "key", keyId: "the key", organizationId: "acme", role: "OWNER" };
const OPERATOR: Actor = { kind: "operator" };

test.each([
  ["an operator in development", OPERATOR, {}, { who: "OPERATOR", whoId: null, via: "DEVELOPMENT" }],
  ["an operator's key", OPERATOR, { keyId: "k" }, { who: "OPERATOR", whoId: "k", via: "KEY" }],
  ["an operator's token", OPERATOR, { tokenSubject: "s" }, { who: "OPERATOR", whoId: "s", via: "TOKEN" }],
  ["a user in development", USER, {}, { who: "USER", whoId: "the user", via: "DEVELOPMENT" }],
  // Which user it is was found out: what the provider calls them is not kept.
  ["a user's token", USER, { tokenSubject: "s" }, { who: "USER", whoId: "the user", via: "TOKEN" }],
  ["an organization's key", KEY, { keyId: "the key" }, { who: "KEY", whoId: "the key", via: "KEY" }],
])("%s", (_, actor, shown, expected) => {
  const signedIn = { actor, expiresAt: null, keyId: null, identity: null, tokenSubject: null, ...shown };
  expect(callSourceOf(signedIn, CLIENT)).toEqual({ ...expected, ...CLIENT });
});
