/** The second app's part of the API (examples/invoices/src), as a team would write it, over HTTP. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { bothWays, isPlanned } from "../support/both-ways.ts";
import { INVOICES_APP, shapeOf } from "../support/invoices.ts";
import { addMember, createOrganization, createUser, grant, registerRegion } from "../support/journey.ts";
import { INVOICES } from "../support/probed-apps.ts";
import { selectionOf, variablesOf } from "../support/shape-operations.ts";

const CREATE = "mutation ($input: CreateInvoiceInput!) { createInvoice(input: $input) { id number totalCents } }";
const ADD = "mutation ($input: AddLineInput!) { addLine(input: $input) { id text cents } }";
const READ = `query ($id: ID!) { invoice(id: $id) {
  number region { key } organization { id name } lines(first: 10) { edges { node { text cents } } pageInfo { hasNextPage } } } }`;
const LIST = "{ invoices { edges { node { id number region { key } organization { id } } } } }";

let app: TestApp;
beforeAll(async () => {
  app = await startApp({ application: INVOICES_APP });
  await registerRegion(app, "eu", serverUrl("eu"));
});
afterAll(() => app.stop());

test("the API has the team's types, and nothing of the app that ships", async () => {
  const { __schema: schema } = await app.ask("{ __schema { types { name } } }");
  const names = schema.types.map(({ name }: { name: string }) => name);
  expect(names).toEqual(expect.arrayContaining(["Invoice", "Line", "ListedInvoiceConnection"]));
  expect(names.filter((name: string) => /Resource|Comment/.test(name))).toEqual([]);
});

describe.each(["DEDICATED", "SHARED"] as const)("%s", (isolation) => {
  let organization: string;
  let member: string;
  let stranger: string;
  beforeAll(async () => {
    organization = await createOrganization(app, `Billing ${isolation}`);
    [member, stranger] = await Promise.all([createUser(app, "Member"), createUser(app, "Stranger")]);
    await addMember(app, organization, member);
    const other = await createOrganization(app, `Other ${isolation}`);
    await addMember(app, other, stranger);
    for (const one of [organization, other]) await grant(app, one, "eu", isolation);
  });

  test("a member writes an invoice with lines, reads it back, and finds it in the list", async () => {
    const input = { organizationId: organization, number: "A-1" };
    const { createInvoice } = await app.ask(CREATE, { input }, member);
    expect(createInvoice).toMatchObject({ number: "A-1", totalCents: 0 });
    const { id } = createInvoice;
    for (const [text, cents] of [
      ["Consulting", 100],
      ["Travel", 20],
    ])
      expect(await app.ask(ADD, { input: { invoiceId: id, text, cents } }, member)).toMatchObject({
        addLine: { text, cents },
      });
    expect(await app.ask(READ, { id }, member)).toEqual({
      invoice: {
        number: "A-1",
        region: { key: "eu" },
        organization: { id: organization, name: `Billing ${isolation}` },
        lines: {
          edges: [{ node: { text: "Consulting", cents: 100 } }, { node: { text: "Travel", cents: 20 } }],
          pageInfo: { hasNextPage: false },
        },
      },
    });
    const node = { id, number: "A-1", region: { key: "eu" }, organization: { id: organization } };
    expect(await app.ask(LIST, {}, member)).toEqual({ invoices: { edges: [{ node }] } });
  });

  test("generated operations answer the same by one statement and by the executor", async () => {
    const input = { organizationId: organization, number: "A-3" };
    const { createInvoice } = await app.ask(CREATE, { input }, member);
    const { id } = createInvoice;
    for (let index = 0; index < 5; index += 1)
      await app.ask(ADD, { input: { invoiceId: id, text: `"${index}" \\ é 漢字`, cents: index } }, member);
    const { invoice } = await app.ask(
      "query ($id: ID!) { invoice(id: $id) { lines(first: 2) { pageInfo { endCursor } } } }",
      { id },
    );
    const callers: Record<string, string>[] = [{}, { "x-user-id": member }, { "x-user-id": stranger }];
    let plans = 0;
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(selectionOf(shapeOf("Invoice")), fc.constantFrom(...callers), async (fields, headers) => {
        const definitions = ["$id: ID!", ...variablesOf(fields)];
        const query = `query (${definitions.join(", ")}) { invoice(id: $id) ${fields} }`;
        runs += 1;
        if (isPlanned(query, INVOICES.schema)) plans += 1;
        const variables = { id, after: invoice.lines.pageInfo.endCursor };
        const { short, long } = await bothWays(app, { query, variables }, headers);
        expect(short).toEqual(long);
      }),
      { numRuns: 100 },
    );
    expect(plans / runs).toBeGreaterThan(0.5);
  });

  test("somebody of another organization sees none of it and writes none", async () => {
    const input = { organizationId: organization, number: "A-2" };
    const { createInvoice } = await app.ask(CREATE, { input }, member);
    const { id } = createInvoice;
    expect(await app.refuse(READ, { id }, stranger)).toMatchObject({ code: "NOT_FOUND" });
    expect(await app.ask(LIST, {}, stranger)).toEqual({ invoices: { edges: [] } });
    const line = { invoiceId: id, text: "Theirs", cents: 1 };
    expect(await app.refuse(ADD, { input: line }, stranger)).toMatchObject({ code: "NOT_FOUND" });
    expect(await app.refuse(CREATE, { input }, stranger)).toMatchObject({ code: "NOT_FOUND" });
  });

  test("each write is in the audit log of the region", async () => {
    const query = `query ($id: ID!) { auditLog(organizationId: $id, first: 50) { edges { node { action subjectKind who } } } }`;
    const { auditLog } = await app.ask(query, { id: organization });
    const entries = auditLog.edges.map(({ node }: { node: object }) => node);
    expect(entries).toEqual(
      expect.arrayContaining([
        { action: "createInvoice", subjectKind: "INVOICE", who: "USER" },
        { action: "addLine", subjectKind: "LINE", who: "USER" },
      ]),
    );
  });
});

test("a row that a rule of the table refuses is refused with nothing written", async () => {
  const organization = await createOrganization(app, "Rules");
  await grant(app, organization, "eu");
  const input = { organizationId: organization, number: "not a number" };
  expect(await app.refuse(CREATE, { input })).toMatchObject({
    code: "INVALID_INPUT",
    message: "It cannot be written, because it breaks the rule invoices_number_check.",
  });
  expect(await sql(app.databaseUrl, "select from catalog.invoices where organization_id = $1", [organization])).toEqual(
    [],
  );
});
