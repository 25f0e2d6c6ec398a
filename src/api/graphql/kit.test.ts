/** The example of kit.ts, as it stands there. */
import { getOperationAST, parse, printType, validate } from "graphql";
import { expect, test } from "vitest";
import { ENGINE_MODULES } from "#api/graphql/engine-modules";
import {
  chooseLocation,
  create,
  defineModule,
  id,
  inOrganization,
  int,
  page,
  perSchema,
  readById,
  row,
  shape,
  text,
  uuid,
  validName,
} from "#api/graphql/kit";
import { planOf } from "#api/graphql/plan/plan";
import { buildSchema } from "#api/graphql/schema";

const Line = shape("Line", {
  description: "What is billed.",
  table: "app.lines",
  subject: "LINE",
  fields: { id: id(), text: text("text", { long: true }), cents: int("cents") },
  columns: { invoiceId: uuid("invoice_id") },
});
const Invoice = shape("Invoice", {
  description: "What a customer owes.",
  table: "app.invoices",
  subject: "INVOICE",
  fields: {
    id: id(),
    number: text("number"),
    lines: page(Line, { by: "invoiceId", description: "What is billed, oldest first." }),
  },
});
const InvoiceInput = perSchema((builder) =>
  builder.inputType("InvoiceInput", {
    description: "What invoice takes.",
    fields: (t) => ({ organizationId: t.id({ required: true }), number: t.string({ required: true }) }),
  }),
);
const invoices = defineModule({
  name: "invoices",
  parts: [
    Line,
    Invoice,
    readById("invoice", Invoice, { description: "One invoice.", policy: row(inOrganization("read")) }),
    create("createInvoice", Invoice, {
      description: "Writes an invoice.",
      policy: row(inOrganization("write-content")),
      audit: { subject: "ORGANIZATION", id: "input.organizationId", organization: "input.organizationId" },
      input: InvoiceInput,
      stores: ["number"],
      add: async ({ organizationId, number }, { services, actor }) => ({
        location: await chooseLocation(services, actor, { organizationId, regionKey: null }),
        values: { number: validName("number", number) },
      }),
    }),
  ],
});

const schema = buildSchema([...ENGINE_MODULES, invoices]);

test("the example makes the types that it declares", () => {
  const { Invoice: invoice, Line: line } = schema.getTypeMap();
  if (invoice === undefined || line === undefined) throw new Error("the types are missing");
  const fields = (printed: string) => printed.split("\n").filter((one) => /^ {2}\w+[:(]/.test(one));
  expect(fields(printType(invoice))).toEqual(["  id: ID!", "  lines(", "  number: String!"]);
  expect(fields(printType(line))).toEqual(["  cents: Int!", "  id: ID!", "  text: String!"]);
});

test("the example is read with one statement", () => {
  const document = parse(
    `query ($id: ID!) { invoice(id: $id) { number lines(first: 5) { edges { node { text cents } } pageInfo { endCursor } } } }`,
  );
  expect(validate(schema, document)).toEqual([]);
  const operation = getOperationAST(document);
  expect(operation == null ? null : planOf(schema, document, operation)).not.toBeNull();
});
