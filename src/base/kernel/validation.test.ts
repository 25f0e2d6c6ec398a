import { describe, expect, test } from "vitest";
import { isEmail, nameFrom, validBody, validEmail, validName } from "#base/kernel/validation";

describe("a name", () => {
  test.each(["Ada", "Zoë", "李明", "Ünal Şahin", "ا‌ب", "क्‍ष", "e\u0301", "👩‍💻", 'O\'Brien & Søn, "x"', "🏴󠁧󠁢󠁥󠁮󠁧󠁿"])(
    "is taken: %s",
    (name) => {
      expect(validName("name", ` ${name} `)).toBe(name);
      expect(nameFrom(name)).toBe(name);
    },
  );

  test.each([
    ["NUL", "\0"],
    ["a line break", "\n"],
    ["a tab", "\t"],
    ["a control character of C1", "\u0085"],
    ["DEL", "\u007f"],
    ["a soft hyphen", "\u00ad"],
    ["a zero-width space", "\u200b"],
    ["a mark of direction", "\u200e"],
    ["the Arabic one", "\u061c"],
    ["an override of direction", "\u202e"],
    ["an isolate", "\u2066"],
    ["a line separator", "\u2028"],
    ["a paragraph separator", "\u2029"],
    ["a word joiner", "\u2060"],
    ["a byte order mark", "\ufeff"],
    ["half of a surrogate pair", "\ud83d"],
  ])("has no %s in it", (_, character) => {
    expect(() => validName("name", `A${character}B`)).toThrow("name has a character");
    expect(nameFrom(`A${character}B`)).toMatch(/^A[ \ufffd]B$/);
  });

  test.each(["", "  ", "\u200d", "\u200c \u200d", "\u3000"])("is something that can be seen, and not %j", (name) => {
    expect(() => validName("name", name)).toThrow("name must");
    expect(nameFrom(name)).toBeUndefined();
  });

  test("that a provider says is cut where it is too long, and is text", () => {
    expect(nameFrom("👩".repeat(300))).toBe("👩".repeat(200));
    expect(nameFrom(7)).toBeUndefined();
    expect(nameFrom(["Ada"])).toBeUndefined();
  });
});

test("a body keeps its line breaks", () => {
  expect(validBody("body", "one\r\n\ttwo\u200f")).toBe("one\r\n\ttwo\u200f");
});

describe("an e-mail address", () => {
  test.each(["kurt@example.com", "K.O'Neil+x@sub.Example.COM", "a@xn--bcher-kva.example"])("is %s", (email) => {
    expect(validEmail("email", email)).toBe(email);
    expect(isEmail(email)).toBe(true);
  });

  test.each([
    ["the Kelvin sign", "\u212aurt@example.com"],
    ["the Kelvin sign in the domain", "kurt@blac\u212a.example"],
    ["a dotless i", "\u0131nfo@example.com"],
    ["a dotted I", "\u0130nfo@example.com"],
    ["a long s", "\u017fam@example.com"],
    ["a full-width letter", "\uff4burt@example.com"],
    ["a Cyrillic letter", "\u043aurt@example.com"],
    ["an international domain", "a@bücher.example"],
  ])("is ASCII, without %s", (_, email) => {
    expect(() => validEmail("email", email)).toThrow("ASCII");
    expect(isEmail(email)).toBe(false);
  });

  test.each([
    "nobody",
    "a b@example.com",
    "a@b",
    "no-address-x@invalid",
    "a@example.com\r\nBcc: b@example.com",
    "a\0@example.com",
  ])("is not %j", (email) => {
    expect(() => validEmail("email", email)).toThrow("email");
    expect(isEmail(email)).toBe(false);
  });
});
