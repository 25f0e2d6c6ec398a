import { expect, test } from "vitest";
import { livenessOptions } from "#base/postgres/dead-peers";

test("a server elsewhere is told to notice a silent peer, also while something is on its way", () => {
  expect(livenessOptions("db.example.com")).toContain("tcp_keepalives_idle=10");
  expect(livenessOptions("db.example.com")).toContain("tcp_user_timeout=30000");
});

test("on one's own machine nothing is asked for that only some systems know", () => {
  expect(livenessOptions("127.0.0.1")).toContain("tcp_keepalives_idle=10");
  expect(livenessOptions("127.0.0.1")).not.toContain("tcp_user_timeout");
});
