/**
 * The kit for modules of the API. An application imports the kit and services of the engine. It imports nothing else of the
 * API: for the application that ships, a rule of `.dependency-cruiser.cjs` proves it.
 *
 * A type of content is declared once, as a **shape**; fields that read, list, write and follow it are **parts**; a module has
 * parts, and whatever else it adds with Pothos' builder. Who may, what is recorded and what it costs stand beside each field,
 * and a field without them does not start.
 *
 * @example
 * const Line = shape("Line", {
 *   description: "What is billed.",
 *   table: "app.lines",
 *   subject: "LINE",
 *   fields: { id: id(), text: text("text", { long: true }), cents: int("cents") },
 *   columns: { invoiceId: uuid("invoice_id") },
 * });
 * const Invoice = shape("Invoice", {
 *   description: "What a customer owes.",
 *   table: "app.invoices",
 *   subject: "INVOICE",
 *   fields: {
 *     id: id(),
 *     number: text("number"),
 *     lines: page(Line, { by: "invoiceId", description: "What is billed, oldest first." }),
 *   },
 * });
 * const InvoiceInput = perSchema((builder) =>
 *   builder.inputType("InvoiceInput", {
 *     fields: (t) => ({ organizationId: t.id({ required: true }), number: t.string({ required: true }) }),
 *   }),
 * );
 * export const invoices = defineModule({
 *   name: "invoices",
 *   parts: [
 *     Line,
 *     Invoice,
 *     readById("invoice", Invoice, { description: "One invoice.", policy: row(inOrganization("read")) }),
 *     create("createInvoice", Invoice, {
 *       description: "Writes an invoice.",
 *       policy: row(inOrganization("write-content")),
 *       audit: { subject: "ORGANIZATION", id: "input.organizationId", organization: "input.organizationId" },
 *       input: InvoiceInput,
 *       stores: ["number"],
 *       add: async ({ organizationId, number }, { services, actor }) => ({
 *         location: await chooseLocation(services, actor, { organizationId, regionKey: null }),
 *         values: { number: validName("number", number) },
 *       }),
 *     }),
 *   ],
 * });
 */

// Applications and modules.
export { type Application, defineApp, type JourneyStep, type Overview } from "#api/graphql/define-app";
export { defineModule, type DefineTypes, type Module, type Part } from "#api/graphql/module";

// Shapes: types of content, and their fields.
export { page, type RowOf, type Shape, shape } from "#api/graphql/shapes/shape";
export { boolean, id, int, member, organization, region, text, time, uuid } from "#api/graphql/shapes/fields";

// Parts: fields of the API's roots over shapes.
export { listCatalog, listCatalogOfOrganization } from "#api/graphql/shapes/catalog";
export { remove, update } from "#api/graphql/shapes/change";
export { type Caller, create, type NewRow } from "#api/graphql/shapes/create";
export { followAdded } from "#api/graphql/shapes/follow";
export { followChanges } from "#api/graphql/shapes/follow-changes";
export { readById } from "#api/graphql/shapes/read-by-id";

// Who may: rows of the policy.
export {
  asParent,
  callers,
  everybody,
  inOrganization,
  listed,
  operatorOnly,
  type OrganizationAction,
  type Policy,
  type Row as PolicyRow,
  row,
  type Rule,
} from "#engine/auth/policy-table";
export type { AuditRule } from "#api/graphql/policy/audit-rule";

// Everything else, with Pothos.
export { type Builder, perSchema } from "#api/graphql/builder";
export { connectionType, distantConnectionType, pageArguments, type TypeRef } from "#api/graphql/connections";
export type { GraphQLContext } from "#api/graphql/context";
export { readCatalog, reportLag } from "#api/graphql/lag";
export { byPage, defineLoaders, type LoaderDefinition, type PageLoader } from "#api/graphql/loaders";
export { content } from "#api/graphql/shapes/content";
export { readRows, requireRow } from "#api/graphql/shapes/rows";

// Callers, locations, errors and checks of what callers send.
export { type Actor, userIdOf } from "#engine/auth/actor";
export { invalidInput, notFound, TenantryError } from "#base/kernel/errors";
export type { Page, PageRequest } from "#base/kernel/page";
export { validBody, validId, validName } from "#base/kernel/validation";
export { chooseLocation, locateRow, type Location } from "#engine/routing/location";
