/** Builds the GraphQL schema from modules, with what they say of their fields in front of the resolvers. */
import type { GraphQLSchema } from "graphql";
import { ENGINE_SUBJECT_KINDS } from "#engine/audit/entry";
import { auditMutations } from "#api/graphql/policy/audited-mutations";
import { type Builder, createBuilder } from "#api/graphql/builder";
import { connectionPolicy } from "#api/graphql/connections";
import { enforcePolicy } from "#api/graphql/policy/enforce-policy";
import { layRules } from "#api/graphql/policy/field-rules";
import { countAnswers } from "#api/graphql/limits/count-answers";
import { type Module, partsOf } from "#api/graphql/module";

/**
 * Builds a schema of its own. Throws one sentence with everything that is missing: a field without a policy row, a mutation
 * without an audit rule, a row for no field.
 */
export function buildSchema(modules: readonly Module[]): GraphQLSchema {
  const subjects = modules.flatMap((module) => partsOf(module).flatMap((part) => part.subjects ?? []));
  const subjectKinds = [...ENGINE_SUBJECT_KINDS, ...subjects];
  const builder = createBuilder();
  const owners = new Owners(builder);
  for (const module of modules)
    owners.during(module.name, () => {
      for (const { types = [] } of partsOf(module)) for (const define of types) define(builder, { subjectKinds });
    });
  const schema = builder.toSchema();
  const gaps = [
    ...findTwins(modules.map(({ name }) => name)).map((name) => `two modules have the name ${name}`),
    ...layRules(schema, modules, { derived: connectionPolicy(builder), ownerOf: (field) => owners.of(field) }),
    ...findStrangeSubjects(modules, subjectKinds),
  ];
  if (gaps.length > 0) throw new Error(`The API does not start: ${gaps.join("; ")}.`);
  // The audit log around everything else: what is refused on the way is recorded too.
  return auditMutations(enforcePolicy(countAnswers(schema)));
}

function findTwins(names: readonly string[]): string[] {
  return names.filter((name, index) => names.indexOf(name) !== index);
}

function findStrangeSubjects(modules: readonly Module[], subjectKinds: readonly string[]): string[] {
  return modules.flatMap((module) =>
    partsOf(module)
      .flatMap(({ audit = {} }) => Object.entries(audit))
      .filter(([, { subject }]) => !subjectKinds.includes(subject))
      .map(
        ([field, { subject }]) =>
          `module ${module.name}: the audit rule of ${field} is about ${subject}, which no module has`,
      ),
  );
}

/** Which module has brought which type and which field. Some are made late: when the schema is built. */
class Owners {
  /** By `Type` and by `Type.field`. */
  readonly #owners = new Map<string, string>();
  #current: string | undefined;

  constructor({ configStore }: Builder) {
    const addTypeRef = configStore.addTypeRef.bind(configStore);
    configStore.addTypeRef = (type) => {
      this.#note(type.name, this.#current);
      addTypeRef(type);
    };
    const addFields = configStore.addFields.bind(configStore);
    configStore.addFields = (type, fields) => {
      const owner = this.#current;
      let typeName = "";
      configStore.onTypeConfig(type, ({ name }) => {
        typeName = name;
      });
      addFields(type, () =>
        this.during(owner, () => {
          const made = fields();
          for (const name of Object.keys(made)) this.#note(`${typeName}.${name}`, owner);
          return made;
        }),
      );
    };
  }

  #note(name: string, owner: string | undefined): void {
    if (owner !== undefined) this.#owners.set(name, owner);
  }

  /** What `work` adds is this module's. */
  during<Result>(owner: string | undefined, work: () => Result): Result {
    const before = this.#current;
    this.#current = owner;
    try {
      return work();
    } finally {
      this.#current = before;
    }
  }

  /** `field` is `Type.field`. Undefined for a field of a type that was made within the fields of another. */
  of(field: string): string | undefined {
    return this.#owners.get(field) ?? this.#owners.get(field.slice(0, field.indexOf(".")));
  }
}
