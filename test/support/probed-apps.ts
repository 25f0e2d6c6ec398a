/** The applications that are asked for what belongs to others: the one that ships, and the one in examples/invoices. */
import type { GraphQLSchema } from "graphql";
import type { Application } from "../../src/api/graphql/define-app.ts";
import { ENGINE_MODULES } from "../../src/api/graphql/engine-modules.ts";
import { buildSchema } from "../../src/api/graphql/schema.ts";
import { INVOICES_APP } from "./invoices.ts";
import { comment, createResource } from "./journey.ts";
import {
  makeContent,
  makeOrganization,
  type FixtureOptions,
  type OrganizationFixture,
  type SignedInApp,
} from "./organization-fixture.ts";
import type { Kind } from "./probe.ts";
import { schema } from "./schema.ts";

/** An organization with rows of the app. */
export type Populated = OrganizationFixture & { rows: Partial<Record<Kind, string>> };

export type ProbedApp = {
  name: string;
  /** The app that ships where it is left out. */
  application?: Application;
  schema: GraphQLSchema;
  /** How many probes there are, of all when nobody says how many. */
  share: number;
  /** Fields of the app that take an id. */
  ways: readonly string[];
  /** With the schema; of home's catalog, and of tenant databases. */
  catalog: readonly string[];
  tables: readonly string[];
  /** An organization with a row of each table, all with its marker. */
  populate: (app: SignedInApp, options: FixtureOptions) => Promise<Populated>;
  /** What somebody in the organization can follow; `add` makes something happen there. */
  follows: readonly {
    field: string;
    query: string;
    row: Kind;
    add: (app: SignedInApp, to: Populated, text: string) => Promise<unknown>;
  }[];
  /** Where members of the default organization hear each other: somebody says something there. */
  speak?: (app: SignedInApp, speaker: string) => Promise<void>;
};

export const SHIPPED: ProbedApp = {
  name: "the app that ships",
  schema,
  share: 1,
  ways: [
    "resource",
    "resources",
    "createComment",
    "updateResource",
    "deleteResource",
    "updateComment",
    "deleteComment",
    "commentAdded",
  ],
  catalog: ["catalog.resources"],
  tables: ["app.resources", "app.comments"],
  populate: async (app, options) => {
    const content = await makeContent(app, options);
    return { ...content, rows: { resource: content.resource, comment: content.comment } };
  },
  follows: [
    {
      field: "commentAdded",
      query: "subscription ($id: ID!) { commentAdded(resourceId: $id) { body } }",
      row: "resource",
      add: ({ setup }, { rows, people }, text) => comment(setup, rows.resource ?? "", people.MEMBER.id, text),
    },
  ],
  speak: async ({ setup }, speaker) => {
    await comment(setup, await createResource(setup, { name: "At home" }, speaker), speaker, "Heard by everybody");
  },
};

export const INVOICES: ProbedApp = {
  name: "invoices",
  application: INVOICES_APP,
  schema: buildSchema([...ENGINE_MODULES, ...INVOICES_APP.modules]),
  share: 0.3,
  ways: ["invoice", "invoices", "createInvoice", "addLine"],
  catalog: ["catalog.invoices"],
  tables: ["app.invoices", "app.lines", "app.attachments"],
  follows: [],
  populate: async (app, options) => {
    const fixture = await makeOrganization(app, options);
    const { setup } = app;
    const author = fixture.people.MEMBER.id;
    const { createInvoice: invoice } = await setup.ask(
      "mutation ($input: CreateInvoiceInput!) { createInvoice(input: $input) { id } }",
      {
        input: {
          organizationId: fixture.id,
          regionKey: fixture.regionKey,
          number: `INVOICE-${fixture.marker.toUpperCase()}`,
        },
      },
      author,
    );
    const { addLine: line } = await setup.ask(
      "mutation ($input: AddLineInput!) { addLine(input: $input) { id } }",
      { input: { invoiceId: invoice.id, text: `Line ${fixture.marker}`, cents: 1 } },
      author,
    );
    return { ...fixture, rows: { invoice: invoice.id, line: line.id } };
  },
};
