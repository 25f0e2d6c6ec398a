/** docs/reference/authorization.md shows the policy of all modules as it is. `vitest run --project unit -u test/authorization-doc.test.ts` writes it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { MINIMUM_ROLE, type Rule } from "../src/engine/auth/policy-table.ts";
import { ROLES } from "../src/engine/auth/roles.ts";
import { outcomeAt } from "./support/policy-outcome.ts";
import { POLICY } from "./support/schema.ts";

const PATH = join(import.meta.dirname, "../docs/reference/authorization.md");

const COLUMNS = [
  { kind: "operator", role: null },
  { kind: "operator", readOnly: true, role: null },
  ...ROLES.map((role) => ({ kind: "user" as const, role })),
  { kind: "key", role: "OWNER" },
  { kind: "user", role: null },
] as const;
const WORDS: Record<string, string> = { data: "yes", "left out": "–", NOT_FOUND: "not found", FORBIDDEN: "forbidden" };

/** The roots first, then the other types by their names. */
const ROOTS = ["Query", "Mutation", "Subscription"];
const TYPES = [
  ...ROOTS,
  ...Object.keys(POLICY)
    .filter((type) => !ROOTS.includes(type))
    .toSorted(),
].map((type) => [type, POLICY[type] ?? {}] as const);

function cellsOf(type: string, rule: Rule): string {
  return COLUMNS.map((column) => WORDS[outcomeAt(type, rule, column)]).join(" | ");
}

function tables(): string {
  const fields = TYPES.flatMap(([type, rows]) => Object.entries(rows).map(([field, row]) => ({ type, field, row })));
  const isOwn = ({ row }: (typeof fields)[number]) => row.rule.kind !== "parent" || Object.keys(row.cases).length > 0;
  const lines = fields.filter(isOwn).flatMap(({ type, field, row }) => {
    const whose = row.rule.kind === "oneself" ? ", of others" : "";
    const cases = Object.entries(row.cases).map(([named, rule]) => `| … ${named} | ${cellsOf(type, rule)} |`);
    return [`| \`${type}.${field}\`${whose} | ${cellsOf(type, row.rule)} |`].concat(cases);
  });
  const others = TYPES.flatMap(([type, rows]) => {
    const names = Object.keys(rows).filter((field) => rows[field]?.rule.kind === "parent");
    return names.length === 0 ? [] : [`| \`${type}\` | ${names.join(", ")} |`];
  });
  return [
    "| action | from the role on |",
    "|---|---|",
    ...Object.entries(MINIMUM_ROLE).map(([action, role]) => `| ${action} | ${role} |`),
    "",
    `| field | operator | read-only operator | ${ROLES.join(" | ")} | key of an OWNER | not in the organization |`,
    `|---|${"---|".repeat(COLUMNS.length)}`,
    ...lines,
    "",
    "Visible when their object is:",
    "",
    "| type | fields |",
    "|---|---|",
    ...others,
  ].join("\n");
}

test("docs/reference/authorization.md has the policy of all modules", async () => {
  const text = readFileSync(PATH, "utf8");
  const [before = "", rest = ""] = text.split("<!-- made of the modules -->");
  const [, after = ""] = rest.split("<!-- end -->");
  const made = `${before}<!-- made of the modules -->\n\n${tables()}\n\n<!-- end -->${after}`;
  await expect(made).toMatchFileSnapshot(PATH);
});
