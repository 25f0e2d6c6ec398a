import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type FileContent, LinesWriter, readPieces } from "#engine/transfer/json-lines";

let folder: string;
let path: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "tenantry-lines-"));
  path = join(folder, "lines.ndjson");
});
afterAll(() => rmSync(folder, { recursive: true }));

function writeLines(text: string): FileContent {
  writeFileSync(path, text);
  const rows = text.split("\n").length - 1;
  return { rows, bytes: Buffer.byteLength(text), sha256: createHash("sha256").update(text).digest("hex") };
}

async function read(expected: FileContent): Promise<unknown[][]> {
  const pieces: unknown[][] = [];
  for await (const { json, rows } of readPieces(path, "lines.ndjson", expected)) {
    const values = JSON.parse(json.toString()) as unknown[];
    expect(values).toHaveLength(rows);
    pieces.push(values);
  }
  return pieces;
}

async function drain(expected: FileContent): Promise<void> {
  for await (const _ of readPieces(path, "lines.ndjson", expected));
}

// Around the size of a piece, 1 MB, of which one byte is kept for the bracket.
test.each([
  ["nothing", []],
  ["one line", [3]],
  ["lines much shorter than a piece", Array.from({ length: 50_000 }, (_, index) => 10 + (index % 60))],
  ["lines that end where a piece ends", [2 ** 20 - 2, 2 ** 20 - 1, 2 ** 20, 5]],
  ["lines longer than a piece", [5, 3_000_000, 7, 2_500_000]],
])("what is read is what was written: %s", async (_, lengths) => {
  const lines = lengths.map((length) => `"${"é".repeat(Math.floor(length / 2) - 1)}"`);
  const expected = writeLines(lines.map((line) => `${line}\n`).join(""));
  const pieces = await read(expected);
  expect(pieces.flat()).toEqual(lines.map((line): unknown => JSON.parse(line)));
});

test("only a line feed ends a line", async () => {
  const values = ["a\u2028b", "c\u2029d", "e\rf", "g\u0085h"];
  expect(await read(writeLines(values.map((value) => `${JSON.stringify(value)}\n`).join("")))).toEqual([values]);
});

test("another length, another row, another byte and an end in the middle of a line are told by the file's name", async () => {
  const expected = writeLines('"one"\n"two"\n');
  for (const text of ['"one"\n', '"one"\n"two"\n"three"\n', '"one"\n"tw0"\n', '"one"\n"two"', '"one"\n\n"two"\n']) {
    writeLines(text);
    await expect(drain(expected)).rejects.toThrow("lines.ndjson was changed since it was exported");
  }
  writeLines('"one"\n"two"\n');
  await expect(read({ ...expected, rows: 3 })).rejects.toThrow("lines.ndjson was changed");
  const open = writeLines('"one"\n"two"');
  await expect(read(open)).rejects.toThrow("lines.ndjson was changed");
  rmSync(path);
  await expect(read(expected)).rejects.toThrow("lines.ndjson cannot be read");
});

test("a writer counts and hashes what it wrote, and does not write over a file", async () => {
  rmSync(path, { force: true });
  const values = [
    "é",
    "two",
    ..."x"
      .repeat(500)
      .split("")
      .map((x, index) => x.repeat(index * 20)),
    "😀".repeat(600_000),
    "end",
  ];
  const writer = await LinesWriter.create(path);
  await writer.write(values.slice(0, 2).map((value) => JSON.stringify(value)));
  expect(writer.size).toEqual({ rows: 2, bytes: 11 });
  await writer.write(values.slice(2).map((value) => JSON.stringify(value)));
  const content = await writer.finish();
  await writer.close();
  expect(content.bytes).toBe(statSync(path).size);
  expect((await read(content)).flat()).toEqual(values);
  await expect(LinesWriter.create(path)).rejects.toMatchObject({ code: "EEXIST" });
});
