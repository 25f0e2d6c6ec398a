import { asParent, inOrganization, operatorOnly, row } from "#engine/auth/policy-table";
import { defineModule, type DefineTypes } from "#api/graphql/module";
import { VIA, WHO } from "#engine/audit/entry";
import { validId } from "#base/kernel/validation";
import { readAuditLog } from "#engine/audit/read-audit-log";
import { type Builder, perSchema } from "#api/graphql/builder";
import { type Connection, connectionType, pageArguments } from "#api/graphql/connections";

export const Who = perSchema((builder) =>
  builder.enumType("AuditActor", {
    description: "Who did it: somebody who runs the platform, a user, or a key of an organization.",
    values: WHO,
  }),
);

export const Via = perSchema((builder) =>
  builder.enumType("AuditVia", {
    description:
      "How they signed in. DEVELOPMENT: not at all, as in development. COMMAND_LINE: with the program tenantry, beside the database. LIBRARY: not at all, as a program of the team does it that uses Tenantry as a library. JOB: not at all, as a job does it that an operator asked for.",
    values: VIA,
  }),
);

const defineEntry: DefineTypes = (builder, { subjectKinds }) => {
  builder.objectType("AuditEntry", {
    description: "Who did what to what, when, from where, and what came of it. Ids only. Entries are never changed.",
    fields: (t) => ({
      id: t.exposeID("id", { description: "UUIDv7: the order of the log." }),
      at: t.expose("at", { type: "DateTime", description: "When it was begun, by the clock of the entry's database." }),
      action: t.exposeString("action", {
        description: "The mutation's name, or what the command line does, such as importPlacement.",
      }),
      outcome: t.exposeString("outcome", {
        description:
          "OK, or the code of the error; then nothing was done, but for INTERNAL, HOME_UNAVAILABLE and REGION_UNAVAILABLE. UNKNOWN: it goes on, or the process that did it is no more and nobody knows how far it came.",
      }),
      who: t.expose("who", { type: Who(builder), description: "What kind of caller." }),
      whoId: t.exposeString("whoId", {
        nullable: true,
        description:
          "The user's or the key's id. Of an operator the key's id or the token's subject, for operators only; null in development and on the command line.",
      }),
      via: t.expose("via", { type: Via(builder), description: "How the caller signed in." }),
      address: t.exposeString("address", {
        nullable: true,
        description: "The client's IP address; null where it is not known, and of operators for everybody else.",
      }),
      userAgent: t.exposeString("userAgent", {
        nullable: true,
        description: "The client's program as it calls itself, 200 characters at most; null as with address.",
      }),
      subjectKind: t.exposeString("subjectKind", {
        nullable: true,
        description: `What it was done to: ${subjectKinds.slice(0, -1).join(", ")} or ${subjectKinds.at(-1)}.`,
      }),
      subjectId: t.exposeString("subjectId", {
        nullable: true,
        description: "Its id, of a region its key; null when nothing was made, or the caller named none that could be.",
      }),
      organizationId: t.exposeID("organizationId", {
        nullable: true,
        description: "Whom it concerns besides the operator.",
      }),
      placementId: t.exposeID("placementId", { nullable: true, description: "The placement it is about or in." }),
      regionKey: t.exposeString("regionKey", {
        nullable: true,
        description: "The region that holds the entry, and which it does not leave; null: home.",
      }),
    }),
  });
};

const AuditLog = connectionType("AuditLog", "AuditEntry", (entry) => entry.id);

function defineQueries(builder: Builder): void {
  builder.objectField(AuditLog.connection(builder), "missingRegions", (t) =>
    t.stringList({
      description:
        "The keys of regions whose entries are missing, as they could not be asked; see leaveOutUnavailable.",
      resolve: (page) => (page as Connection<unknown> & { missingRegions?: string[] }).missingRegions ?? [],
    }),
  );
  builder.queryField("auditLog", (t) =>
    t.field({
      type: AuditLog.connection(builder),
      description:
        "The audit log, newest first: of an organization for its owners, from home and from its regions; without an organization everything at home, for the operator. REGION_UNAVAILABLE when a region cannot be asked.",
      args: {
        ...pageArguments(builder),
        organizationId: t.arg.id({ required: false, description: "Whose; left out: the operator's view of home." }),
        leaveOutUnavailable: t.arg.boolean({
          defaultValue: false,
          description: "Leave out regions that cannot be reached; missingRegions names them.",
        }),
        action: t.arg.string({ required: false, description: "Only entries of this action, such as createUser." }),
        who: t.arg({ type: Who(builder), required: false, description: "Only those of callers of this kind." }),
        whoId: t.arg.string({ required: false, description: "Only those of this user or key." }),
        subjectId: t.arg.string({
          required: false,
          description: "Only those that were about this: an id, of a region its key.",
        }),
        from: t.arg({ type: "DateTime", required: false, description: "Only those from this moment on." }),
        to: t.arg({ type: "DateTime", required: false, description: "Only those before this moment." }),
      },
      resolve: async (
        _,
        { organizationId, leaveOutUnavailable, first, after, last, before, ...filter },
        { actor, services },
      ) => {
        const wanted = {
          organizationId: organizationId == null ? null : validId("organizationId", organizationId),
          leaveOutUnavailable: leaveOutUnavailable ?? false,
          filter: {
            action: filter.action ?? null,
            who: filter.who ?? null,
            whoId: filter.whoId ?? null,
            subjectId: filter.subjectId ?? null,
            from: filter.from ?? null,
            to: filter.to ?? null,
          },
        };
        let missingRegions: string[] = [];
        const page = await AuditLog.read({ first, after, last, before }, async (request) => {
          const read = await readAuditLog(services, actor, wanted, request);
          ({ missingRegions } = read);
          return read;
        });
        return { ...page, missingRegions };
      },
    }),
  );
}

/** The audit log. */
export const auditLog = defineModule({
  name: "audit log",
  policy: {
    Query: {
      auditLog: row(inOrganization("read-audit-log"), { "of everything": operatorOnly }),
    },
    AuditLogConnection: asParent("missingRegions"),
    AuditEntry: asParent(
      "id at action outcome who whoId via address userAgent subjectKind subjectId organizationId placementId regionKey",
    ),
  },
  types: [defineEntry, defineQueries],
});
