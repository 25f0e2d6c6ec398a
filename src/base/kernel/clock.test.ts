import { afterEach, expect, test, vi } from "vitest";
import { clockMs, compareClocks, forgetClock } from "#base/kernel/clock";
import { newId, newRoutedId } from "#base/kernel/ids";

afterEach(forgetClock);

const HOUR_MS = 3_600_000;
const timeOf = (id: string) => Number.parseInt(id.replaceAll("-", "").slice(0, 12), 16);

test.each([1, -1])("ids are made by the server's clock where the process's own is %i h off", (hours) => {
  const at = 1_000_000;
  vi.spyOn(performance, "now").mockReturnValue(at);
  const server = Date.now();
  vi.spyOn(Date, "now").mockReturnValue(server + hours * HOUR_MS);
  expect(timeOf(newId())).toBe(server + hours * HOUR_MS);
  compareClocks(server, at - 10, at + 10);
  expect(timeOf(newId())).toBe(server);
  expect(timeOf(newRoutedId(7))).toBe(server);
});

test("the clock goes on between two comparisons, and is not moved by what the network adds", () => {
  const now = vi.spyOn(performance, "now").mockReturnValue(1_000);
  compareClocks(5_000_000, 990, 1_010);
  now.mockReturnValue(3_000);
  expect(clockMs()).toBe(5_002_000);
  compareClocks(5_002_100, 2_900, 3_100);
  expect(clockMs()).toBe(5_002_000);
  // The server's clock was set.
  compareClocks(5_062_000, 2_990, 3_010);
  expect(clockMs()).toBe(5_062_000);
});

test("a first comparison that was answered late gives way to a better one", () => {
  const now = vi.spyOn(performance, "now").mockReturnValue(10_000);
  // The answer was 8 s on its way, and nothing of the question's: it is 4 s off.
  compareClocks(5_000_000, 2_000, 10_000);
  expect(clockMs()).toBe(5_004_000);
  now.mockReturnValue(12_000);
  compareClocks(5_010_000, 11_990, 12_010);
  expect(clockMs()).toBe(5_010_000);
});
