import { expect, test, vi } from "vitest";
import { plain, printJson } from "#cli/output";

const MADE_BY_A_SERVER = "a\u001b[8m\u202eb\u009b\n\0c";

test("a terminal is shown no control characters and no marks of direction", () => {
  expect(plain(MADE_BY_A_SERVER)).toBe("a [8m b   c");
});

test("in JSON they are escaped, and read back as they were", () => {
  const write = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  printJson({ name: MADE_BY_A_SERVER });
  const [line] = write.mock.calls.map(([text]) => String(text));
  write.mockRestore();
  expect(line).toMatch(/^[ -~]*\n$/);
  expect(JSON.parse(line ?? "")).toEqual({ name: MADE_BY_A_SERVER });
});
