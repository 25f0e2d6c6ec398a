import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { newRoutedId } from "#base/kernel/ids";
import { Breach } from "#engine/border/protocol/breach";
import type { MovedRows } from "#engine/border/protocol/moved-rows";
import { StreamReader } from "#engine/border/protocol/pgoutput";
import { int16, int32 } from "#engine/border/protocol/wire";

const ORGANIZATION = "019b0000-0000-7000-8000-000000000001";
const NUMBER = 5;
const COLUMNS = ["id", "body", "database_id", "note", "organization_id"] as const;
const table = (from: string, roles: object) => ({
  table: from.slice(from.indexOf(".") + 1),
  from,
  into: from,
  key: ["id"],
  columns: COLUMNS,
  roles: roles as Record<string, "database">,
});
const TABLES = [
  table("app.notes", { database_id: "database", organization_id: "organization", id: "id" }),
  table("tenantry.audit_log", { organization_id: "organization" }),
];

type Value = string | Buffer | null | undefined;
type Row = Record<(typeof COLUMNS)[number], Value>;

/** Undefined: a value that was not changed and is not sent again. */
function tuple(row: Row): Buffer {
  const values = COLUMNS.map((column) => {
    const value = row[column];
    if (value === null) return Buffer.from("n");
    if (value === undefined) return Buffer.from("u");
    const bytes = Buffer.from(value as string);
    return Buffer.concat([Buffer.from("t"), int32(bytes.length), bytes]);
  });
  return Buffer.concat([int16(values.length), ...values]);
}

function relation(name: string, columns: readonly string[] = COLUMNS): Buffer {
  const [schema, bare] = name.split(".");
  return Buffer.concat([
    Buffer.from("R"),
    int32(9),
    Buffer.from(`${schema}\0${bare}\0d`),
    int16(columns.length),
    ...columns.map((column) => Buffer.concat([Buffer.from(`\u0001${column}\0`), Buffer.alloc(8)])),
  ]);
}

const change = (type: string, ...parts: (string | Buffer)[]) =>
  Buffer.concat([Buffer.from(type), int32(9), ...parts.map((part) => Buffer.from(part as string))]);

/** One that has read the beginning of a transaction and what the table is. */
function readerOf({ from = 12, into = 7, numbers = [NUMBER] } = {}, name = "app.notes"): StreamReader {
  const moved: MovedRows = {
    from,
    into,
    organizationId: ORGANIZATION,
    number: NUMBER,
    numbers: new Set(numbers),
  };
  const reader = new StreamReader(TABLES, { checksText: true, takesStreams: false, moved });
  reader.read(Buffer.concat([Buffer.from("B"), Buffer.alloc(20)]));
  reader.read(relation(name));
  return reader;
}

const row = (changes: Partial<Row> = {}): Row => ({
  id: newRoutedId(NUMBER),
  body: "A body",
  database_id: "12",
  note: null,
  organization_id: ORGANIZATION,
  ...changes,
});

const text = fc.oneof(fc.string({ unit: "binary", maxLength: 200 }), fc.constant(null), fc.constant(undefined));
const anyNumber = fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 2 ** 31 - 1 }));
const anyRow = fc.record({ body: text, note: text }).map((values) => row(values));

function outcomeOf(read: () => unknown): unknown {
  try {
    read();
  } catch (error) {
    if (!(error instanceof Breach)) return error;
  }
  return "understood";
}

describe("rows of a placement that moves", () => {
  test("become those of the other database, and nothing else of them changes", () => {
    fc.assert(
      fc.property(
        anyNumber,
        anyNumber,
        anyRow,
        anyRow,
        fc.constantFrom("insert", "update", "key", "old", "delete", "delete whole"),
        (from, into, one, other, kind) => {
          const key = (id: number) => ({ ...other, body: null, note: null, database_id: String(id) });
          const made = (id: number) => {
            const before = { ...other, database_id: String(id) };
            const after = { ...one, database_id: String(id) };
            if (kind === "insert") return change("I", "N", tuple(after));
            if (kind === "update") return change("U", "N", tuple(after));
            if (kind === "key") return change("U", "K", tuple(key(id)), "N", tuple(after));
            if (kind === "old") return change("U", "O", tuple(before), "N", tuple(after));
            return kind === "delete" ? change("D", "K", tuple(key(id))) : change("D", "O", tuple(before));
          };
          const sent = made(from);
          const passed = readerOf({ from, into }).read(sent) ?? sent;
          expect(passed.equals(made(into))).toBe(true);
        },
      ),
    );
  });

  test("entries of the audit log stay those of their database", () => {
    const sent = change("I", "N", tuple(row({ id: "019b0000-0000-7000-8000-0000000000ff" })));
    const before = Buffer.from(sent);
    expect(readerOf({}, "tenantry.audit_log").read(sent)).toBeUndefined();
    expect(sent.equals(before)).toBe(true);
  });

  test("a key need not have the database's number; a number that the placement has adopted is as good as its own", () => {
    const key = change("D", "K", tuple(row({ database_id: null, body: null })));
    const before = Buffer.from(key);
    expect(readerOf().read(key)).toBeUndefined();
    expect(key.equals(before)).toBe(true);
    const adopted = change("D", "K", tuple(row({ id: newRoutedId(77) })));
    expect(readerOf({ numbers: [NUMBER, 77] }).read(adopted)).toBeInstanceOf(Buffer);
  });

  test.each<[string, Partial<Row>]>([
    ["of another database", { database_id: "13" }],
    ["of a database in another spelling", { database_id: "012" }],
    ["of the other database", { database_id: "7" }],
    ["of no database", { database_id: null }],
    ["without its database", { database_id: undefined }],
    ["of another organization", { organization_id: "019b0000-0000-7000-8000-000000000002" }],
    ["of no organization", { organization_id: null }],
    ["without its organization", { organization_id: undefined }],
    ["of another placement", { id: newRoutedId(6) }],
    ["whose id is none", { id: "x" }],
    ["whose id is long", { id: "0".repeat(1_000) }],
    ["without its id", { id: undefined }],
  ])("one %s is refused, wherever it stands", (_, wrong) => {
    const bad = tuple(row(wrong));
    const good = tuple(row());
    for (const sent of [
      change("I", "N", bad),
      change("U", "N", bad),
      change("U", "O", bad, "N", good),
      change("U", "O", good, "N", bad),
      change("D", "O", bad),
    ])
      expect(() => readerOf().read(sent)).toThrow(Breach);
  });

  test.each<[string, Partial<Row>]>([
    ["of another database", { database_id: "13" }],
    ["without its database", { database_id: undefined }],
    ["of no organization", { organization_id: null }],
    ["of another placement", { id: newRoutedId(6) }],
    ["without its id", { id: null }],
  ])("a key %s is refused", (_, wrong) => {
    const key = tuple(row({ body: null, ...wrong }));
    expect(() => readerOf().read(change("D", "K", key))).toThrow(Breach);
    expect(() => readerOf().read(change("U", "K", key, "N", tuple(row())))).toThrow(Breach);
  });

  test.each(["database_id", "organization_id", "id"])("a table without %s is refused", (left) => {
    const reader = readerOf();
    expect(() =>
      reader.read(
        relation(
          "app.notes",
          COLUMNS.filter((column) => column !== left),
        ),
      ),
    ).toThrow("was announced without what says whose its rows are");
  });

  test("bytes of any kind pass or end in a breach", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), fc.constantFrom("I", "U", "D"), (bytes, type) => {
        expect(outcomeOf(() => readerOf().read(change(type, Buffer.from(bytes))))).toBe("understood");
      }),
    );
  });
});
