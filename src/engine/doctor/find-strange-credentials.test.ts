import { expect, test } from "vitest";
import type { Queryable } from "#base/postgres/database";
import { strangeCredentialsOn } from "#engine/doctor/find-strange-credentials";

const home = {
  installation: "i1",
  homeAddress: { host: "home.internal", port: 6543 },
  homeDatabaseName: "the_app",
} as Parameters<typeof strangeCredentialsOn>[0];

/** What is said of a server that answers with these rows, and what it was sent. */
async function ask(rows: object[], port = 6543): Promise<{ sentences: string[]; sent: string }> {
  const sent: unknown[] = [];
  const server = {
    kind: "server",
    query: (name: string, text: string, values?: readonly unknown[]) => {
      sent.push(text, values);
      return Promise.resolve(name === "credentials.right" ? [{ may: true }] : rows);
    },
  } as Queryable<"server">;
  const found = await strangeCredentialsOn({ ...home, homeAddress: { ...home.homeAddress, port } }, "eu", server);
  return { sentences: found.map(({ sentence }) => sentence), sent: JSON.stringify(sent) };
}

const leadsHome = { database: "d", hosts: "'other','home\\.internal'", ports: "'6543'", databases: "the\\_app" };

test("a server is sent nothing of home, and named is what leads there", async () => {
  const { sentences, sent } = await ask([
    { name: "home_bound", ...leadsHome },
    { name: "elsewhere", ...leadsHome, hosts: "nothome.internal" },
    { name: "other_port", ...leadsHome, ports: "65432" },
    { name: "other_database", ...leadsHome, databases: "the_app_2" },
    { name: "tenantry_i1_9", database: "d", hosts: null, ports: null, databases: null },
  ]);
  expect(sentences.map((sentence) => sentence.split(" ")[2])).toEqual(["home_bound", "tenantry_i1_9"]);
  for (const secret of ["home.internal", "6543", "the_app"]) expect(sent).not.toContain(secret);
});

test("without a port PostgreSQL's own is meant", async () => {
  const rows = [{ ...leadsHome, name: "home_bound", ports: null }];
  expect((await ask(rows, 5432)).sentences).toHaveLength(1);
  expect((await ask(rows)).sentences).toEqual([]);
});

test("names are cut and cleaned, and no more than 100 are taken", async () => {
  const name = `\u001b[2J\u202e\0${"x".repeat(5_000)}`;
  const { sentences } = await ask(Array.from({ length: 500 }, () => ({ ...leadsHome, name })));
  expect(sentences).toHaveLength(100);
  expect(sentences[0]).toMatch(/^The subscription \[2J x{1,96} in the database d holds/);
});

test.each([
  ["a number as name", { ...leadsHome, name: 1 }],
  ["an object as host", { ...leadsHome, name: "n", hosts: {} }],
  ["no port", { name: "n", database: "d", hosts: "h", databases: "d" }],
])("%s is refused", async (_, row) => {
  const { sentences } = await ask([row, { ...leadsHome, name: "home_bound" }]);
  expect(sentences).toEqual([
    expect.stringContaining("home_bound"),
    "The server answered with something else than its subscriptions.",
  ]);
});
