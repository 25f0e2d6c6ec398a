import { expect, test, vi } from "vitest";
import { Hearsay } from "#base/kernel/hearsay";

test("an entry is worth its age, counted from the question", () => {
  const now = vi.spyOn(performance, "now").mockReturnValue(1_000);
  const heard = new Hearsay<string, number>({ max: 10, maxAgeMs: 100 });
  const asked = heard.ask();
  now.mockReturnValue(1_050);
  heard.set("a", 1, asked);
  expect(heard.get("a")).toBe(1);
  now.mockReturnValue(1_100);
  expect(heard.get("a")).toBeUndefined();
});

test("what was asked before something changed is not kept", () => {
  const heard = new Hearsay<string, number>({ max: 10, maxAgeMs: 60_000 });
  heard.set("a", 1, heard.ask());
  const asked = heard.ask();
  heard.forget();
  expect(heard.get("a")).toBeUndefined();
  heard.set("a", 1, asked);
  expect(heard.get("a")).toBeUndefined();
  heard.set("a", 2, heard.ask());
  expect(heard.get("a")).toBe(2);
});

test("while nobody hears of changes nothing is remembered", () => {
  const heard = new Hearsay<string, number>({ max: 10, maxAgeMs: 60_000 });
  heard.set("a", 1, heard.ask());
  heard.hear(false);
  expect(heard.get("a")).toBeUndefined();
  heard.set("a", 1, heard.ask());
  expect(heard.get("a")).toBeUndefined();
  const asked = heard.ask();
  heard.hear(true);
  heard.set("a", 1, asked);
  expect(heard.get("a")).toBeUndefined();
  heard.set("a", 2, heard.ask());
  expect(heard.get("a")).toBe(2);
});
