import {
  chooseLocation,
  create,
  defineModule,
  id,
  inOrganization,
  int,
  listCatalog,
  listed,
  locateRow,
  organization,
  page,
  perSchema,
  readById,
  region,
  row,
  shape,
  text,
  userIdOf,
  uuid,
  validBody,
  validId,
  validName,
} from "tenantry/graphql";

const Line = shape("Line", {
  description: "What is billed. It never leaves its region.",
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
    totalCents: int("total_cents"),
    organization: organization("Whose it is."),
    region: region("Where it lives."),
    lines: page(Line, { by: "invoiceId", description: "What is billed, oldest first." }),
  },
  columns: { createdById: uuid("created_by", { nullable: true }) },
});

// The columns that flow to home, so that all regions are listed without asking them.
const ListedInvoice = shape("ListedInvoice", {
  description: "An invoice as home lists it.",
  table: "app.invoices",
  catalog: "catalog.invoices",
  subject: "INVOICE",
  fields: {
    id: id(),
    number: text("number"),
    organization: organization("Whose it is."),
    region: region("Where it lives."),
  },
});

const CreateInvoiceInput = perSchema((builder) =>
  builder.inputType("CreateInvoiceInput", {
    description: "What createInvoice takes.",
    fields: (t) => ({
      organizationId: t.id({ required: true, description: "Whose it is." }),
      regionKey: t.string({ description: "Where it lives; may be left out where the organization has one placement." }),
      number: t.string({ required: true, description: "Capital letters, digits and -, at most 40." }),
    }),
  }),
);
const AddLineInput = perSchema((builder) =>
  builder.inputType("AddLineInput", {
    description: "What addLine takes.",
    fields: (t) => ({
      invoiceId: t.id({ required: true, description: "The invoice." }),
      text: t.string({ required: true, description: "What is billed." }),
      cents: t.int({ required: true, description: "How much." }),
    }),
  }),
);

export const invoices = defineModule({
  name: "invoices",
  parts: [
    Line,
    Invoice,
    ListedInvoice,
    readById("invoice", Invoice, {
      description: "One invoice, wherever it lives.",
      policy: row(inOrganization("read")),
    }),
    listCatalog("invoices", ListedInvoice, {
      description: "What the caller may see, across regions.",
      policy: row(listed("read")),
    }),
    create("createInvoice", Invoice, {
      description: "Writes an invoice in the region where it belongs.",
      policy: row(inOrganization("write-content")),
      audit: { subject: "ORGANIZATION", id: "input.organizationId", organization: "input.organizationId" },
      input: CreateInvoiceInput,
      stores: ["number", "createdById"],
      add: async ({ organizationId, regionKey, number }, { services, actor }) => ({
        location: await chooseLocation(services, actor, {
          organizationId: validId("organizationId", organizationId),
          regionKey: regionKey ?? null,
        }),
        values: { number: validName("number", number), createdById: userIdOf(actor) },
      }),
    }),
    create("addLine", Line, {
      description: "Adds a line to an invoice.",
      policy: row(inOrganization("write-content")),
      audit: { subject: "INVOICE", id: "input.invoiceId" },
      input: AddLineInput,
      stores: ["invoiceId", "text", "cents"],
      beside: ({ invoiceId }) => invoiceId,
      add: async (input, { services, actor }) => {
        const invoiceId = validId("invoiceId", input.invoiceId);
        return {
          location: await locateRow(services, actor, invoiceId, Invoice.name),
          values: { invoiceId, text: validBody("text", input.text), cents: input.cents },
          under: { id: invoiceId, name: Invoice.name },
        };
      },
    }),
  ],
});
