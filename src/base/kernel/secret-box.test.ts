import { createCipheriv, randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { SecretBox } from "#base/kernel/secret-box";

const newKey = () => randomBytes(32).toString("base64");
const [old, current] = [newKey(), newKey()];
const URL = "postgres://u:password@h:5432";

/** What was stored before keys had ids. */
function sealInFormat1(key: string, plain: string, context: string): Buffer {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", Buffer.from(key, "base64"), nonce);
  cipher.setAAD(Buffer.from(context));
  const body = Buffer.concat([cipher.update(plain, "utf8"), cipher.final()]);
  return Buffer.concat([Buffer.of(1), nonce, cipher.getAuthTag(), body]);
}

describe("a sealed value", () => {
  test("opens with its key and context, and never looks the same twice", () => {
    const box = new SecretBox(current);
    const sealed = box.seal(URL, "region");
    expect(box.open(sealed, "region")).toBe(URL);
    expect(sealed.toString("latin1")).not.toContain("password");
    expect(box.seal(URL, "region").equals(sealed)).toBe(false);
  });

  test("does not open in another context, changed in any byte, or with another key", () => {
    const box = new SecretBox(current);
    const sealed = box.seal(URL, "region");
    expect(() => box.open(sealed, "other")).toThrow("cannot be decrypted");
    expect(() => new SecretBox(old).open(sealed, "region")).toThrow("cannot be decrypted");
    for (let at = 0; at < sealed.length; at += 1) {
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(() => box.open(changed, "region"), `byte ${at}`).toThrow("cannot be decrypted");
    }
  });

  test.each([
    ["today's format", (plain: string) => new SecretBox(old).seal(plain, "region")],
    ["the format without key ids", (plain: string) => sealInFormat1(old, plain, "region")],
  ])("of a previous key opens while that is given: %s", (_, seal) => {
    const both = new SecretBox(current, [newKey(), old]);
    const sealed = seal(URL);
    expect(both.open(sealed, "region")).toBe(URL);
    expect(both.isCurrent(sealed)).toBe(false);
    const again = both.seal(both.open(sealed, "region"), "region");
    expect(both.isCurrent(again)).toBe(true);
    expect(new SecretBox(current).open(again, "region")).toBe(URL);
    expect(() => new SecretBox(current).open(sealed, "region")).toThrow("TENANTRY_SECRET_KEY_PREVIOUS");
  });

  test("in the old format counts as not current, also with the current key", () => {
    const box = new SecretBox(current);
    const sealed = sealInFormat1(current, URL, "region");
    expect(box.open(sealed, "region")).toBe(URL);
    expect(box.isCurrent(sealed)).toBe(false);
  });
});

test("a key that is none is refused by the variable's name, without its value", () => {
  expect(() => new SecretBox("too-short-to-be-one")).toThrow("TENANTRY_SECRET_KEY must");
  expect(() => new SecretBox(current, ["too-short-to-be-one"])).toThrow("TENANTRY_SECRET_KEY_PREVIOUS must");
  expect(() => new SecretBox("too-short-to-be-one")).not.toThrow("too-short");
});
