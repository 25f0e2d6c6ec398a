import { describe, expect, test } from "vitest";
import { StreamReader } from "#border/pgoutput";
import { int32 } from "#border/wire";

const table = { table: "things", into: "tenantry_inbox.things", key: ["id"], columns: ["id", "name"] };
const reader = (takesStreams: boolean) => new StreamReader([table], { checksText: true, takesStreams });
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
