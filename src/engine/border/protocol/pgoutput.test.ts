import { describe, expect, test } from "vitest";
import { StreamReader } from "#engine/border/protocol/pgoutput";
import { int32 } from "#engine/border/protocol/wire";

const table = {
  table: "things",
  from: "tenantry.things",
  into: "tenantry_inbox.things",
  key: ["id"],
  columns: ["id", "name"],
};
const reader = (takesStreams: boolean) => new StreamReader([table], { checksText: true, takesStreams });
const int16 = (value: number) => Buffer.from([value >> 8, value & 255]);
const relation = Buffer.concat([
  Buffer.from("R"),
  int32(9),
  Buffer.from("tenantry\0things\0d"),
  int16(1),
  Buffer.from("\u0001id\0"),
  Buffer.alloc(8),
]);
const insert = (id: number) =>
  Buffer.concat([
    Buffer.from("I"),
    int32(9),
    Buffer.from("N"),
    int16(1),
    Buffer.from("t"),
    int32(1),
    Buffer.from(String(id)),
  ]);
/** The beginning of a part of transaction 7. */
const streamStart = Buffer.concat([Buffer.from("S"), int32(7), Buffer.from([1])]);

describe("a transaction that is sent before its end", () => {
  test("passes where the subscriber asked for it", () => {
    expect(reader(true).read(streamStart)).toBeUndefined();
  });

  test("is refused where nobody asked for it", () => {
    expect(() => reader(false).read(streamStart)).toThrow("a transaction that was not at its end was sent");
  });
});

const begin = Buffer.concat([Buffer.from("B"), Buffer.alloc(20)]);
const commit = Buffer.concat([Buffer.from("C"), Buffer.alloc(25)]);

describe("what a transaction is", () => {
  test.each([
    ["a row outside of one", [insert(1)], "a row was sent outside of a transaction"],
    ["one inside another", [begin, begin], "a transaction began inside another one"],
    ["an end without a beginning", [begin, commit, commit], "a transaction ended that had not begun"],
  ])("%s is refused", (_, messages, sentence) => {
    const looked = reader(false);
    looked.read(relation);
    expect(() => messages.map((one) => looked.read(one))).toThrow(sentence);
  });

  test("it is told while it is open, with its rows", () => {
    const looked = reader(false);
    for (const one of [begin, relation, insert(1), insert(2)]) looked.read(one);
    expect([looked.transaction, looked.rowsOfTransaction]).toEqual([1, 2]);
    looked.read(commit);
    expect(looked.transaction).toBeUndefined();
    looked.read(begin);
    expect([looked.transaction, looked.rowsOfTransaction]).toEqual([2, 0]);
  });
});
