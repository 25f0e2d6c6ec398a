/** A mutation that adds one row of a shape where it belongs, and its entry in the audit log, with one statement. */
import { type ContentAct, recordingContent } from "#engine/audit/content";
import type { Actor } from "#engine/auth/actor";
import type { Row as PolicyRow } from "#engine/auth/policy-table";
import { invalidInput, notFound } from "#base/kernel/errors";
import { HOME_NUMBER, isUuid, newRoutedId, placementNumberOf } from "#base/kernel/ids";
import type { AuditRule } from "#api/graphql/policy/audit-rule";
import type { Builder } from "#api/graphql/builder";
import type { GraphQLContext } from "#api/graphql/context";
import type { Resolver } from "#api/graphql/policy/enforce-policy";
import { reportLag } from "#api/graphql/lag";
import type { Part } from "#api/graphql/module";
import type { Planner } from "#api/graphql/plan/planner";
import { guarding, maxBytes, readArguments, running } from "#api/graphql/plan/root-field";
import { selectRow } from "#api/graphql/plan/shape-members";
import { addedText } from "#api/graphql/plan/shape-text";
import { columnOf, type ContentRow, type Declaration, statementName } from "#api/graphql/shapes/fields";
import { columnsOf } from "#api/graphql/shapes/rows";
import type { Shape } from "#api/graphql/shapes/shape";
import type { Services } from "#engine/services";
import { changeNotice } from "#engine/events/changes";
import { waitUntilInCatalog } from "#engine/links/visible-writes";
import {
  databaseIdOf,
  isAboutMissingRow,
  type Location,
  numberOf,
  organizationIdOf,
  regionKeyOf,
} from "#engine/routing/location";
import type { TextRow } from "#engine/routing/region-text";

/** A row that is to be added. */
export type NewRow<Values> = {
  location: Location;
  values: Values;
  /** What it belongs to: its id, and the name of such a row in NOT_FOUND. */
  under?: { id: string; name: string };
};

/** Who calls. */
export type Caller = { services: Services; actor: Actor };

type CreateOptions<Row extends ContentRow, Input, Stored extends keyof Row & string> = {
  description: string;
  policy: PolicyRow;
  /** What the audit log says of it when it is refused. */
  audit: Omit<AuditRule, "content">;
  /** The input type, of the schema that is built. */
  input: (builder: Builder) => { $inferInput: Input };
  /** The properties of a row that are given; the database fills in the others. */
  stores: readonly Stored[];
  /** Checks what was given, and says where the row goes and what it has. Throws what the caller is told. */
  add: (input: Input, caller: Caller) => Promise<NewRow<Pick<Row, Stored>>>;
  /**
   * An id that is given, and says where the row goes: then one statement adds the row and makes the answer. Left out: the
   * answer is made in code.
   */
  beside?: (input: Input) => string;
  /** Points on top of what every mutation costs; left out: those of one row. */
  cost?: number;
  /** The channel on which the row is announced, for who follows what it belongs to. */
  channel?: string;
};

/** The field `Mutation.<name>`, with an argument `input`. */
export function create<Row extends ContentRow, Input, Stored extends keyof Row & string>(
  name: string,
  shape: Shape<Row>,
  options: CreateOptions<Row, Input, Stored>,
): Part {
  const insertion = new Insertion(name, shape, options as unknown as AnyOptions);
  const { beside, cost } = options;
  return {
    policy: { Mutation: { [name]: options.policy } },
    audit: { [name]: { ...options.audit, content: true } },
    ...(cost !== undefined && { weights: { [`Mutation.${name}`]: cost } }),
    ...(beside !== undefined && {
      planned: { [`Mutation.${name}`]: planCreating(shape, insertion, beside as (input: unknown) => string) },
    }),
    types: [
      (builder) =>
        builder.mutationField(name, (t) =>
          t.field({
            type: shape.type(builder),
            description: options.description,
            args: {
              input: t.arg({ type: options.input(builder) as never, required: true, description: "What it takes." }),
            },
            resolve: (_, args, context) => insertion.asRow((args as { input: unknown }).input, context) as never,
          }),
        ),
    ],
  };
}

type AnyOptions = CreateOptions<ContentRow & Record<string, unknown>, unknown, string>;

const planCreating =
  (shape: Declaration, insertion: Insertion, beside: (input: unknown) => string): Planner =>
  (schema, nodes, fragments) => {
    const statement = insertion.answering(
      addedText(shape, selectRow(shape, nodes, fragments), insertion.nextParameter),
    );
    const argumentsOf = readArguments(schema, "Mutation", nodes[0]);
    const run: Resolver = (_, { input }: { input: unknown }, context) => insertion.asText(input, context, statement);
    const resolve = guarding(schema, "Mutation", nodes[0], run);
    return (variables) => {
      const args = argumentsOf(variables) as { input: unknown };
      const id = beside(args.input);
      // At home everybody is known by name, and by address to some.
      return isTenants(id) ? running(id, resolve, args) : undefined;
    };
  };

function isTenants(id: string): boolean {
  return isUuid(id) && placementNumberOf(id) !== HOME_NUMBER;
}

/** The statement that adds a row, with the part that writes the entry in the audit log. */
type Statement = (entry: string) => string;

/** How rows of a shape are added by one mutation. */
class Insertion {
  readonly #action: string;
  readonly #shape: Shape;
  readonly #options: AnyOptions;
  readonly #columns: readonly string[];
  readonly #answeringRow: Statement;

  constructor(action: string, shape: Shape, options: AnyOptions) {
    this.#action = action;
    this.#shape = shape;
    this.#options = options;
    const stored = options.stores.map((property) => columnOf(shape, property));
    this.#columns = ["id", "database_id", "organization_id", ...stored];
    this.#answeringRow = this.answering(`select ${columnsOf(shape)} from added c`);
  }

  /** A parameter for what the answer needs beyond the row: the longest text that is wanted. */
  get nextParameter(): string {
    return `$${this.#columns.length + 1}::int`;
  }

  /** `answer` reads the row that is added from `added`. */
  answering(answer: string): Statement {
    const { table } = this.#shape;
    const placeholders = this.#columns.map((_, index) => `$${index + 1}`);
    const texts = new Map<string, string>();
    return (entry) => {
      const found = texts.get(entry);
      if (found !== undefined) return found;
      const text = `with added as (
         insert into ${table} (${this.#columns.join(", ")})
         values (${placeholders.join(", ")}) returning *
       )${entry}
       ${answer}`;
      texts.set(entry, text);
      return text;
    };
  }

  /** Adds the row and returns it. */
  async asRow(input: unknown, context: GraphQLContext): Promise<ContentRow> {
    const { row } = await this.#add(input, context, this.#answeringRow, []);
    return row as ContentRow;
  }

  /** The same, answered as JSON text, to be proven. Not for rows at home. */
  async asText(input: unknown, context: GraphQLContext, statement: Statement): Promise<TextRow> {
    const { row, location } = await this.#add(input, context, statement, [maxBytes()]);
    return { ...(row as Omit<TextRow, "regionKey">), regionKey: regionKeyOf(location.route) };
  }

  /** Where the table flows, waits for the row to arrive in the catalog, and says when it is late. */
  async #add(input: unknown, context: GraphQLContext, statement: Statement, more: readonly unknown[]) {
    const { services, actor, callSource } = context;
    const wanted = await this.#options.add(input, { services, actor });
    const act = { callSource, action: this.#action };
    try {
      const row = await wanted.location.write((database) =>
        this.#insert(services, database, wanted, act, statement, more),
      );
      if (services.tables.flows(this.#shape.table))
        await reportLag(context, waitUntilInCatalog(services, databaseIdOf(wanted.location.route)));
      return { row, location: wanted.location };
    } catch (error) {
      // The foreign key doubles as the existence check: what it belongs to is not in that organization and database.
      if (wanted.under !== undefined && isAboutMissingRow(error)) throw notFound(wanted.under.name);
      const rule = services.tables.ruleBrokenBy(error, this.#shape.table);
      if (rule !== undefined) throw invalidInput("input", `It cannot be written, because ${rule}.`);
      throw error;
    }
  }

  async #insert(
    services: Services,
    database: Parameters<Parameters<Location["run"]>[0]>[0],
    { location: { route }, values, under }: NewRow<Record<string, unknown>>,
    act: ContentAct,
    statement: Statement,
    more: readonly unknown[],
  ): Promise<object> {
    const { stores, channel } = this.#options;
    const databaseId = databaseIdOf(route);
    const organizationId = organizationIdOf(route);
    const id = newRoutedId(under === undefined ? numberOf(route) : placementNumberOf(under.id));
    const parameters = this.#columns.length + more.length;
    const audited = route.kind === "home" ? null : organizationId;
    const written = { database, kind: this.#shape.subject, id, databaseId, organizationId: audited, parameters };
    const notice =
      channel === undefined || under === undefined
        ? changeNotice(services, route, this.#shape.table)
        : { channel, payload: `${under.id.toLowerCase()} ${id}` };
    const [row] = await recordingContent(services, act, written, (entry) =>
      database.query<object>(
        statementName(this.#shape, "create"),
        statement(entry.text),
        [id, databaseId, organizationId, ...stores.map((name) => values[name]), ...more, ...entry.values],
        notice,
      ),
    );
    if (row === undefined) throw new Error("the insert returned no row");
    return row;
  }
}
