/**
 * Random operations, made of the schema, with ids where ids go. Nothing here knows a field by its purpose but the table of
 * what its ids are of: a new field is probed from the day it is there.
 */
import {
  getNamedType,
  getNullableType,
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLObjectType,
  type GraphQLSchema,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isObjectType,
} from "graphql";
import type { Random } from "./random.ts";

const OF_THE_ENGINE = ["organization", "user", "placement", "key", "invitation", "job"] as const;
/** Of the app that ships, and of the one in examples/invoices. */
const OF_APPS = ["resource", "comment", "invoice", "line"] as const;
const KINDS = [...OF_THE_ENGINE, ...OF_APPS] as const;
export type Kind = (typeof KINDS)[number];

/** Ids of one organization, by kind, and texts that go into arguments of these names. */
export type Known = { ids: Partial<Record<Kind, readonly string[]>>; texts: Record<string, readonly string[]> };

/** `theirs`: the ids of others that are in it. */
export type Probe = {
  operation: "query" | "mutation" | "subscription";
  /** `Type.field` of the root. */
  field: string;
  /** Whether its error leaves what is asked beside it alone. */
  isNullable: boolean;
  text: string;
  theirs: string[];
};

/** Of what the id in an argument is, where its name does not say so. */
const ID_OF: Record<string, Kind> = {
  "user.id": "user",
  "updateUser.id": "user",
  "eraseUser.id": "user",
  "organization.id": "organization",
  "placement.id": "placement",
  "placementChanged.id": "placement",
  "resource.id": "resource",
  "invoice.id": "invoice",
  "revokeApiKey.id": "key",
  "revokeInvitation.id": "invitation",
  authorId: "user",
};

const MAX_DEPTH = 5;
/** How often the right kind of id goes into an argument; else any. */
const RIGHT_KIND = 0.75;
/** How often an id is another's where it could be one's own. */
const THEIRS = 0.7;
/** Asks servers, and is checked field by field elsewhere. */
const RARELY = new Set(["replication", "server"]);

/** One's own log names what one's own people have asked for, the others' ids of earlier probes too. */
const OF_OTHERS = new Set(["auditLog"]);

export class Prober {
  readonly #random: Random;
  readonly #own: Known;
  readonly #others: readonly Known[];
  /** Those that there are: an app has its own, and a placement in a shared database was made by no job. */
  readonly #kinds: readonly Kind[];
  readonly #roots: { operation: Probe["operation"]; field: GraphQLField<unknown, unknown> }[];
  #theirs: string[] = [];

  constructor(schema: GraphQLSchema, random: Random, own: Known, others: readonly Known[]) {
    this.#random = random;
    this.#own = own;
    this.#others = others;
    const exists = (kind: Kind, known: readonly Known[]) => known.some(({ ids }) => hasSome(ids[kind]));
    this.#kinds = KINDS.filter((kind) => exists(kind, [own]) && exists(kind, others));
    const of = (operation: Probe["operation"], type: GraphQLObjectType | null | undefined) =>
      Object.values(type?.getFields() ?? {}).map((field) => ({ operation, field }));
    const queries = of("query", schema.getQueryType());
    this.#roots = [
      // Most of what there is is read by an id, and many such can be asked at once.
      ...Array.from({ length: 10 }, () => queries.filter(({ field }) => !isNonNullType(field.type))).flat(),
      ...queries,
      ...of("mutation", schema.getMutationType()),
      ...of("subscription", schema.getSubscriptionType()),
    ];
  }

  /** One more. A mutation has an id of the others in its arguments, so that nothing may come of it. */
  next(): Probe {
    for (;;) {
      const { operation, field } = this.#random.pick(this.#roots);
      this.#theirs = [];
      const args = this.#arguments(field);
      if (operation !== "query" && this.#theirs.length === 0) continue;
      if (OF_OTHERS.has(field.name) && this.#own.ids.organization?.some((id) => args.includes(id))) continue;
      const text = this.#called(field, args, operation === "query" ? 0 : MAX_DEPTH);
      const isNullable = !isNonNullType(field.type);
      return { operation, field: field.name, isNullable, text, theirs: this.#theirs };
    }
  }

  #arguments(field: GraphQLField<unknown, unknown>): string {
    const given = field.args.flatMap((argument) => this.#argument(argument, field.name));
    return given.length === 0 ? "" : `(${given.join(", ")})`;
  }

  #called(field: GraphQLField<unknown, unknown>, args: string, depth: number): string {
    const type = getNamedType(field.type);
    return `${field.name}${args}${isObjectType(type) ? ` ${this.#selection(type, depth + 1)}` : ""}`;
  }

  #selection(type: GraphQLObjectType, depth: number): string {
    const fields = Object.values(type.getFields());
    const leaves = fields.filter((field) => !isObjectType(getNamedType(field.type)));
    const branches = fields.filter(
      (field) => !leaves.includes(field) && (depth < MAX_DEPTH || field.args.length === 0),
    );
    // Straight through a connection: its depth is no news.
    const through = fields.find(({ name }) => name === "edges" || name === "node");
    const chosen = new Set(leaves.filter(() => this.#random.next() < 0.4));
    if (through !== undefined && depth < MAX_DEPTH + 2) chosen.add(through);
    else if (depth < MAX_DEPTH && branches.length > 0) chosen.add(this.#random.pick(branches));
    const texts = [...chosen]
      .filter(({ name }) => !RARELY.has(name) || this.#random.next() < 0.1)
      .map((field) => this.#called(field, this.#arguments(field), field === through ? depth : depth + 1));
    return `{ __typename ${texts.join(" ")} }`;
  }

  #argument(argument: GraphQLArgument | GraphQLInputField, parent: string): string[] {
    const isRequired = isNonNullType(argument.type);
    if (!isRequired && this.#random.next() < 0.3) return [];
    return [`${argument.name}: ${this.#value(argument, parent)}`];
  }

  #value(argument: GraphQLArgument | GraphQLInputField, parent: string): string {
    const type = getNullableType(argument.type);
    if (isListType(type)) return "[]";
    if (isInputObjectType(type))
      return `{ ${Object.values(type.getFields())
        .flatMap((field) => this.#argument(field, parent))
        .join(", ")} }`;
    if (isEnumType(type)) return this.#random.pick(type.getValues()).name;
    const named = getNamedType(type).name;
    if (named === "Int" || named === "Float") return String(1 + this.#random.below(30));
    if (named === "Boolean") return String(this.#random.next() < 0.5);
    if (named === "ID") return JSON.stringify(this.#id(kindOf(parent, argument.name)));
    if (argument.name === "after") return JSON.stringify(cursor(this.#id(undefined)));
    return JSON.stringify(this.#text(argument.name));
  }

  #id(right: Kind | undefined): string {
    const fits = right !== undefined && this.#kinds.includes(right) && this.#random.next() < RIGHT_KIND;
    const kind = fits ? right : this.#random.pick(this.#kinds);
    if (this.#random.next() >= THEIRS) return this.#random.pick(this.#own.ids[kind] ?? []);
    const having = this.#others.filter(({ ids }) => hasSome(ids[kind]));
    const id = this.#random.pick(this.#random.pick(having).ids[kind] ?? []);
    this.#theirs.push(id);
    return id;
  }

  #text(name: string): string {
    return this.#random.pick(this.#random.pick(this.#others).texts[name] ?? ["Anything"]);
  }
}

function hasSome(ids: readonly string[] | undefined): boolean {
  return ids !== undefined && ids.length > 0;
}

function kindOf(parent: string, name: string): Kind | undefined {
  return ID_OF[`${parent}.${name}`] ?? ID_OF[name] ?? KINDS.find((kind) => name === `${kind}Id`);
}

/** A cursor that leads to the row with this id. */
export function cursor(id: string): string {
  return Buffer.from(id, "latin1").toString("base64url");
}

/** An id of nothing that sorts where this one does and leads where it leads. */
export function twinOf(id: string): string {
  const end = (Number.parseInt(id.slice(-2), 16) ^ 1).toString(16).padStart(2, "0");
  return `${id.slice(0, -2)}${end}`;
}

/** The same with ids of nothing instead of the others'. */
export function withTwins(text: string, theirs: readonly string[]): string {
  return theirs.reduce((done, id) => done.replaceAll(id, twinOf(id)).replaceAll(cursor(id), cursor(twinOf(id))), text);
}
