/** Mutations that change or delete one row of a shape where it lives, and their entry in the audit log, with one statement. */
import { recordingContent } from "#engine/audit/content";
import { userIdOf } from "#engine/auth/actor";
import { findActorRole } from "#engine/auth/membership";
import { authorizeInOrganization, roleMay } from "#engine/auth/policy";
import type { OrganizationAction, Row as PolicyRow } from "#engine/auth/policy-table";
import { invalidInput, notFound, TenantryError } from "#base/kernel/errors";
import { validId } from "#base/kernel/validation";
import type { AuditRule } from "#api/graphql/policy/audit-rule";
import type { Builder } from "#api/graphql/builder";
import type { GraphQLContext } from "#api/graphql/context";
import { reportLag } from "#api/graphql/lag";
import type { Part } from "#api/graphql/module";
import type { Caller } from "#api/graphql/shapes/create";
import { columnOf, type ContentRow, statementName } from "#api/graphql/shapes/fields";
import { columnsOf, requireRow } from "#api/graphql/shapes/rows";
import type { Shape } from "#api/graphql/shapes/shape";
import { changeNotice } from "#engine/events/changes";
import { waitUntilInCatalog } from "#engine/links/visible-writes";
import { databaseIdOf, locateRow, type Location, organizationIdOf, refuseKeyAtHome } from "#engine/routing/location";

type ChangeOptions<Row extends ContentRow, Input> = {
  description: string;
  policy: PolicyRow;
  /** What the audit log says of it when it is refused. */
  audit: Omit<AuditRule, "content">;
  /** The input type, of the schema that is built. */
  input: (builder: Builder) => { $inferInput: Input };
  /** The property of the input with the row's id. */
  id: keyof Input & string;
  /** Callers who may do this in the row's organization may change every row. In the default organization the operator may. */
  action: OrganizationAction;
  /** The property with the user who made the row. That user may change the row too, as long as they may write there. */
  maker: keyof Row & string;
};

/** What a change sets, by property; left out: what is kept. */
type Changes<Row> = { readonly [Property in keyof Row]?: Row[Property] | undefined };

/**
 * The field `Mutation.<name>`, with an argument `input`, which changes a row and answers it. `changes` checks what was given and
 * says what the row gets. `stamp` is the property that gets the moment.
 */
export function update<Row extends ContentRow, Input>(
  name: string,
  shape: Shape<Row>,
  options: ChangeOptions<Row, Input> & {
    changes: (input: Input, caller: Caller) => Changes<Row>;
    stamp?: keyof Row & string;
  },
): Part {
  const { changes, stamp } = options;
  const stamped = stamp === undefined ? "" : `, ${columnOf(shape, stamp)} = now()`;
  return mutation(
    name,
    shape,
    options,
    (builder) => shape.type(builder),
    async (input, context) => {
      const given = Object.entries<unknown>(changes(input as Input, context)).filter(
        ([, value]) => value !== undefined,
      );
      if (given.length === 0)
        throw invalidInput("input", "Say what is to be changed: nothing else was given than an id.");
      const set = given.map(([property], index) => `${columnOf(shape, property)} = $${index + 5}`).join(", ");
      const write = `update ${shape.table} r set ${set}${stamped}`;
      return { write, what: "update", values: given.map(([, value]) => value) };
    },
  );
}

/** The field `Mutation.<name>`, with an argument `input`, which deletes a row with what belongs to it, and answers its id. */
export function remove<Row extends ContentRow, Input>(
  name: string,
  shape: Shape<Row>,
  options: ChangeOptions<Row, Input>,
): Part {
  const write = `delete from ${shape.table} r`;
  const part = mutation(
    name,
    shape,
    options,
    () => "ID",
    () => Promise.resolve({ write, what: "delete", values: [] }),
  );
  return part;
}

/** The statement up to its condition, which has the first four parameters, and the values of those that follow. */
type Write = { write: string; what: "update" | "delete"; values: readonly unknown[] };
type AnyOptions = ChangeOptions<ContentRow, unknown>;

function mutation<Row extends ContentRow, Input>(
  name: string,
  shape: Shape<Row>,
  options: ChangeOptions<Row, Input>,
  type: (builder: Builder) => unknown,
  writing: (input: unknown, context: GraphQLContext) => Promise<Write>,
): Part {
  const any = options as unknown as AnyOptions;
  return {
    policy: { Mutation: { [name]: options.policy } },
    audit: { [name]: { ...options.audit, content: true } },
    types: [
      (builder) =>
        builder.mutationField(name, (t) =>
          t.field({
            type: type(builder) as never,
            description: options.description,
            args: {
              input: t.arg({ type: options.input(builder) as never, required: true, description: "What it takes." }),
            },
            resolve: async (_, args, context) => {
              const { input } = args as { input: Record<string, string> };
              const id = validId(any.id, input[any.id] ?? "");
              const written = await writing(input, context);
              const row = await changeRow(name, shape, any, id, written, context);
              return (written.what === "delete" ? row.id : row) as never;
            },
          }),
        ),
    ],
  };
}

/** NOT_FOUND where there is no such row for the caller, FORBIDDEN where they may not change it. */
async function changeRow(
  name: string,
  shape: Shape,
  options: AnyOptions,
  id: string,
  { write, what, values }: Write,
  context: GraphQLContext,
): Promise<ContentRow> {
  const { services, actor, callSource } = context;
  const location = await locateRow(services, actor, id, shape.name);
  const { route } = location;
  const maker = await makerWhoMay(shape, options, location, context);
  const databaseId = databaseIdOf(route);
  const organizationId = organizationIdOf(route);
  const parameters = [databaseId, id, organizationId, maker, ...values];
  const column = columnOf(shape, options.maker);
  // Looked at and changed by one statement: whoever comes at the same moment finds the row as it is then, or none.
  const text = `${write}
         where r.database_id = $1 and r.id = $2 and r.organization_id = $3 and ($4::uuid is null or r.${column} = $4)
         returning r.*`;
  const row = await location
    .write((database) => {
      const audited = {
        database,
        kind: shape.subject,
        id,
        databaseId,
        organizationId: route.kind === "home" ? null : organizationId,
        parameters: parameters.length,
        onlyWith: "changed",
      };
      return recordingContent(services, { callSource, action: name }, audited, async (entry) => {
        const statement = `with changed as (
         ${text}
       )${entry.text}
       select ${columnsOf(shape, "c")} from changed c`;
        const all = [...parameters, ...entry.values];
        const notice = changeNotice(services, route, shape.table);
        const [found] = await database.query<ContentRow>(statementName(shape, what), statement, all, notice);
        return found;
      });
    })
    .catch((error: unknown) => {
      const rule = services.tables.ruleBrokenBy(error, shape.table);
      throw rule === undefined ? error : invalidInput("input", `It cannot be written, because ${rule}.`);
    });
  if (row === undefined) return refuse(shape, options, location, id);
  if (services.tables.flows(shape.table)) await reportLag(context, waitUntilInCatalog(services, databaseId));
  return row;
}

/** Null: every row of the location; else the user whose rows alone the caller may change. */
async function makerWhoMay(
  shape: Shape,
  { action }: AnyOptions,
  { route }: Location,
  { services, actor }: GraphQLContext,
): Promise<string | null> {
  if (actor.kind === "operator") return null;
  if (route.kind === "home") {
    refuseKeyAtHome(actor);
    return userIdOf(actor);
  }
  const role = await findActorRole(services.home, route.organizationId, actor);
  if (role === null) throw notFound(shape.name);
  if (roleMay(role, action)) return null;
  authorizeInOrganization(actor, role, actor.kind === "user" ? "write-content" : action);
  return userIdOf(actor);
}

async function refuse(shape: Shape, { action }: AnyOptions, location: Location, id: string): Promise<never> {
  await requireRow(shape, location, id);
  const others = location.route.kind === "home" ? "the operator" : `members who may ${action.replace("-", " ")}`;
  throw new TenantryError("FORBIDDEN", `Only the user who made it may do this, and ${others}.`);
}
