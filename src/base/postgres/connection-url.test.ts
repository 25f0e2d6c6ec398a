import { expect, it } from "vitest";
import {
  findUnreadableFile,
  formatPoolUrl,
  formatServerUrl,
  parseDatabaseUrl,
  parsePoolUrl,
  parseServerUrl,
  tlsOptions,
} from "#base/postgres/connection-url";

it.each([
  "postgres://pooler.example.com:6432",
  "postgres://[::1]:6432",
  "postgres://pooler:5432?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.crt",
  "postgres://pooler:6432?prepared_statements=true",
  "postgres://pooler:6432?sslmode=require&prepared_statements=true",
])("the URL of a pooler %s is written as it was read", (url) => {
  expect(formatPoolUrl(parsePoolUrl(url, "poolUrl"))).toBe(url);
});

it("a pooler carries no prepared statements unless its URL says so", () => {
  expect(parsePoolUrl("postgres://pooler", "poolUrl")).toMatchObject({ port: 5432, preparedStatements: false });
  const off = parsePoolUrl("postgres://pooler?prepared_statements=false", "poolUrl");
  expect(formatPoolUrl(off)).toBe("postgres://pooler:5432");
});

it.each([
  ["postgres://user@pooler", "must not name a user"],
  ["postgres://:hunter2@pooler", "must not name a user"],
  ["postgres://pooler/db", "must not name a database"],
  ["postgres://pooler/", "must not name a database"],
  ["postgres://pooler?prepared_statements=yes", "must be true or false"],
  ["postgres://pooler?prepared_statements=true&prepared_statements=false", "twice"],
  ["postgres://pooler?application_name=x", "is not supported"],
  ["postgres://one,two", "must name one host"],
  ["pooler:6432", "must look like"],
  [`postgres://${"x".repeat(2_000)}`, "must look like"],
])("the URL of a pooler %s is refused, and not repeated", (url, words) => {
  const read = () => parsePoolUrl(url, "poolUrl");
  expect(read).toThrow(expect.objectContaining({ code: "INVALID_INPUT", field: "poolUrl" }));
  expect(read).toThrow(words);
  expect(read).not.toThrow("hunter2");
});

const ADDRESS = "postgres://user:secret@host:5432";

it.each([
  ["postgres://user:secret@db-1.eu_west.example.com.:5432", "db-1.eu_west.example.com."],
  ["postgres://user:secret@_db.example.com", "_db.example.com"],
  ["postgres://user:secret@10.0.0.1", "10.0.0.1"],
  ["postgres://user:secret@[2001:db8::1]:6000", "2001:db8::1"],
  ["postgres://user:secret@%3A%3A1", "::1"],
  ["postgres://us%20er:p%40ss%20w%F0%9F%94%91rd@host", "host"],
])("%s is read", (url, host) => {
  const address = parseServerUrl(url, "url");
  expect(address.host).toBe(host);
  expect(parseServerUrl(formatServerUrl(address), "url")).toEqual(address);
});

it.each([
  ["postgres://user:secret@%2Ftmp:5432", "Unix socket"],
  ["postgres://user:secret@%2fvar%2frun%2fpostgresql", "Unix socket"],
  ["postgres://user:secret@%40abstract", "Unix socket"],
  ["postgres://user:secret@one%2Ctwo", "one host"],
  ["postgres://user:secret@one,two", "one host"],
  ["postgres://user:secret@127.0.0.1%0a", "must be an IP address"],
  ["postgres://user:secret@host%00", "must be an IP address"],
  ["postgres://user:secret@ho%20st", "must be an IP address"],
  ["postgres://user:secret@b%C3%BCcher.example", "must be an IP address"],
  ["postgres://user:secret@host%27", "must be an IP address"],
  ["postgres://user:secret@-host", "must be an IP address"],
  ["postgres://user:secret@..", "must be an IP address"],
  [`postgres://user:secret@${"a".repeat(254)}`, "must be an IP address"],
  ["postgres://user:secret@ho\nst", "must look like"],
  ["postgres://user:secret@host\t", "must look like"],
  ["postgres://user:secret@host:0", "must not be 0"],
  ["postgres://us%0Aer:secret@host", "user name must not have control"],
  ["postgres://us%E2%80%AEer:secret@host", "user name must not have control"],
  ["postgres://user:secret%00@host", "password must not have control"],
  ["postgres://user:secret%0A@host", "password must not have control"],
  [`${ADDRESS}?sslrootcert=%2Fca%0A.crt`, "sslrootcert must not have control"],
  [`${ADDRESS}?connect_timeout=5%00`, "connect_timeout must not have control"],
  [`${ADDRESS}?channel_binding=require`, "channel_binding must not be require"],
  [`${ADDRESS}?channel_binding=bogus`, "channel_binding must be one of"],
  [`${ADDRESS}?gssencmode=require`, "gssencmode must not be require"],
  [`${ADDRESS}?gssencmode=bogus`, "gssencmode must be one of"],
  [`${ADDRESS}?sslnegotiation=direct`, "sslnegotiation=direct needs sslmode"],
  [`${ADDRESS}?sslmode=disable&sslnegotiation=direct`, "sslnegotiation=direct needs sslmode"],
  [`${ADDRESS}?sslmode=require&sslnegotiation=bogus`, "sslnegotiation must be one of"],
  [`${ADDRESS}?connect_timeout=abc`, "connect_timeout must be a whole number"],
  [`${ADDRESS}?connect_timeout=10s`, "connect_timeout must be a whole number"],
  [`${ADDRESS}?connect_timeout=0`, "connect_timeout must be a whole number"],
  [`${ADDRESS}?keepalives_idle=30s`, "keepalives_idle has no effect"],
  [`${ADDRESS}?tcp_user_timeout=x`, "tcp_user_timeout has no effect"],
  [`${ADDRESS}?sslmode=prefer`, "sslmode must be one of"],
  [`${ADDRESS}?__proto__=1`, "is not supported"],
  [`${ADDRESS}?hostaddr=10.0.0.1`, "is not supported"],
  [`${ADDRESS}?passfile=%2Fetc%2Fshadow`, "is not supported"],
  [`${ADDRESS}?host=%2Ftmp`, "is not supported"],
  [`${ADDRESS}?a%0Ab=1`, "has a parameter that is not supported"],
])("%s is refused for a server, home and a pooler, and nothing of it is repeated", (url, words) => {
  const home = url.includes("?") ? url.replace("?", "/app?") : `${url}/app`;
  const reads: (() => unknown)[] = [() => parseServerUrl(url, "url"), () => parseDatabaseUrl(home, "url")];
  if (!/user name|password/.test(words)) reads.push(() => parsePoolUrl(url.replace("user:secret@", ""), "url"));
  for (const read of reads) {
    expect(read).toThrow(expect.objectContaining({ code: "INVALID_INPUT", field: "url" }));
    expect(read).toThrow(words);
    expect(read).not.toThrow(/secret|tmp|127\.0\.0\.1|[\p{Cc}\u202e]/u);
  }
});

it("a database name with a line break is refused", () => {
  expect(() => parseDatabaseUrl(`${ADDRESS}/app%0A`, "DATABASE_URL")).toThrow("database name must not have control");
});

it("a device, a pipe or an endless file that a URL names is a file that cannot be read, and is not waited for", () => {
  for (const name of ["sslrootcert", "sslcert", "sslkey", "sslcrl"]) {
    const address = parseServerUrl(`${ADDRESS}?sslmode=verify-full&${name}=%2Fdev%2Fzero`, "url");
    expect(findUnreadableFile(address)).toBe(name);
    expect(() => tlsOptions(address)).toThrow("not a regular file");
  }
});

it.each([
  "channel_binding=prefer",
  "gssencmode=disable",
  "gssencmode=prefer",
  "sslnegotiation=postgres",
  "connect_timeout=10",
])("%s is taken, as the driver goes by it", (query) => {
  expect(formatServerUrl(parseServerUrl(`${ADDRESS}?${query}`, "url"))).toBe(`${ADDRESS}?${query}`);
});

it.each([
  [
    "postgres://user:hunter2@host/defaultdb?sslmode=require",
    "Write postgres://user:***@host:5432?sslmode=require with your password",
  ],
  ["postgres://user:hunter2@host:6000/", "Write postgres://user:***@host:6000 with your password in place of ***."],
  ["postgresql://user@[::1]/", "Write postgres://user@[::1]:5432"],
])("%s is refused as providers print it, and the URL that will do is shown without its password", (url, words) => {
  expect(() => parseServerUrl(url, "connectionUrl")).toThrow(words);
  expect(() => parseServerUrl(url, "connectionUrl")).not.toThrow("hunter2");
});

it("a pooler's URL with a database's name is shown without it", () => {
  expect(() => parsePoolUrl("postgres://pooler:6432/db?prepared_statements=true", "poolUrl")).toThrow(
    "Write postgres://pooler:6432?prepared_statements=true",
  );
});
