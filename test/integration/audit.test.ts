/** The audit log: every mutation leaves an entry, which nobody changes, and which only those concerned read. */
import { createClient } from "graphql-ws";
import { WebSocket } from "ws";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createInvitation } from "../../src/engine/people/invitations.ts";
import { OPERATOR } from "../../src/engine/auth/actor.ts";
import { schema } from "../support/schema.ts";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { AUDIT_LOG, entriesOf, type Entry } from "../support/audit.ts";
import {
  addMember,
  comment,
  createOrganization,
  createResource,
  createUser,
  grant,
  registerRegion,
} from "../support/journey.ts";
import { createApiKey, postAs } from "../support/signed-in.ts";

let app: TestApp;
/** A second process on the same home, behind a proxy, where everybody shows a key. */
let api: TestApp;
let acme: string;
let other: string;
let owner: string;
let viewer: string;
let stranger: string;
let placement: string;
let region: string;
let resource: string;

beforeAll(async () => {
  app = await startApp();
  api = await startApp({
    databaseUrl: app.databaseUrl,
    secretKey: app.secretKey,
    role: "api",
    signIn: { mode: "bearer" },
    api: { trustedProxies: 1 },
  });
  owner = await createUser(app, "Owner");
  viewer = await createUser(app, "Viewer");
  stranger = await createUser(app, "Stranger");
  acme = await createOrganization(app, "Acme", owner);
  other = await createOrganization(app, "Other", stranger);
  await addMember(app, acme, viewer, "VIEWER");
  await registerRegion(app, "eu", serverUrl("eu"));
  const granted = await grant(app, acme, "eu");
  placement = granted.id;
  region = `${serverUrl("eu")}/${granted.database}`;
  resource = await createResource(app, { name: "Plans", organizationId: acme }, owner);
});
afterAll(async () => {
  await api.stop();
  await app.stop();
});

let count = 0;
const address = () => {
  count += 1;
  return `guest.${count}.${Date.now()}@example.com`;
};

async function invitation(): Promise<{ id: string; token: string; guest: string }> {
  const email = address();
  const made = await app.ask("mutation ($in: CreateUserInput!) { createUser(input: $in) { id } }", {
    in: { name: "Guest", email },
  });
  const input = { organizationId: acme, email, role: "VIEWER", expiresInDays: 1 } as const;
  const { invitation: open, token } = await createInvitation(app.services, OPERATOR, input);
  return { id: open.id, token, guest: made.createUser.id };
}

/** A call: its variables, and who calls (the operator when left out). */
type Call = { variables: object; as?: string };
type Expected = { subjectKind: string; subjectId: string | null; organizationId: string | null };
type Case = {
  /** What the operation says after the mutation's name. */
  text: string;
  good: () => Promise<Call>;
  bad: (good: Call) => Promise<Call> | Call;
  code: string;
  /** Of the entry, by what the good call got. */
  done: (it: { id: string }, call: Call) => Expected;
  /** Of the entry of the refused call. */
  refused: (call: Call) => Expected;
};

const idIn = ({ variables }: Call, name: string): string => {
  const { input, ...rest } = variables as { input?: Record<string, string> };
  return { ...(rest as Record<string, string>), ...input }[name] ?? "";
};
const asStranger = ({ variables }: Call): Call => ({ variables, as: stranger });
const about = (subjectKind: string, subjectId: string | null, organizationId: string | null = null): Expected => ({
  subjectKind,
  subjectId,
  organizationId,
});
const onPlacement = (call: Call) => about("PLACEMENT", idIn(call, "placementId"), acme);

/** In an order in which each finds what it needs. */
const CASES: Record<string, Case> = {
  createUser: {
    text: "($input: CreateUserInput!) { it: createUser(input: $input) { id } }",
    good: async () => ({ variables: { input: { name: "Secretive", email: address() } } }),
    bad: asStranger,
    code: "FORBIDDEN",
    done: ({ id }) => about("USER", id),
    refused: () => about("USER", null),
  },
  updateUser: {
    text: "($input: UpdateUserInput!) { it: updateUser(input: $input) { id } }",
    good: async () => ({ variables: { input: { id: owner, name: "Secretive Owner" } }, as: owner }),
    bad: asStranger,
    code: "NOT_FOUND",
    done: () => about("USER", owner),
    refused: () => about("USER", owner),
  },
  eraseUser: {
    text: "($id: ID!) { eraseUser(id: $id) { it: user { id } } }",
    good: async () => ({ variables: { id: await createUser(app) } }),
    bad: asStranger,
    code: "FORBIDDEN",
    done: (_, call) => about("USER", idIn(call, "id")),
    refused: (call) => about("USER", idIn(call, "id")),
  },
  createOrganization: {
    text: "($input: CreateOrganizationInput!) { it: createOrganization(input: $input) { id } }",
    good: async () => ({ variables: { input: { name: "Secretive Inc" } }, as: owner }),
    bad: () => ({ variables: { input: { name: "" } } }),
    code: "INVALID_INPUT",
    done: ({ id }) => about("ORGANIZATION", id, id),
    refused: () => about("ORGANIZATION", null),
  },
  addOrganizationMember: {
    text: "($input: AddOrganizationMemberInput!) { addOrganizationMember(input: $input) { it: user { id } } }",
    good: async () => ({ variables: { input: { organizationId: acme, userId: await createUser(app) } } }),
    bad: asStranger,
    code: "NOT_FOUND",
    done: ({ id }) => about("USER", id, acme),
    refused: (call) => about("USER", idIn(call, "userId"), acme),
  },
  removeOrganizationMember: {
    text: "($input: RemoveOrganizationMemberInput!) { it: removeOrganizationMember(input: $input) { id } }",
    good: async () => {
      const userId = await createUser(app);
      await addMember(app, acme, userId);
      return { variables: { input: { organizationId: acme, userId } }, as: owner };
    },
    bad: asStranger,
    code: "NOT_FOUND",
    done: (_, call) => about("USER", idIn(call, "userId"), acme),
    refused: (call) => about("USER", idIn(call, "userId"), acme),
  },
  leaveOrganization: {
    text: "($organizationId: ID!) { it: leaveOrganization(organizationId: $organizationId) { id } }",
    good: async () => {
      const userId = await createUser(app);
      await addMember(app, acme, userId);
      return { variables: { organizationId: acme }, as: userId };
    },
    bad: asStranger,
    code: "NOT_FOUND",
    done: () => about("ORGANIZATION", acme, acme),
    refused: () => about("ORGANIZATION", acme, acme),
  },
  renameOrganization: {
    text: "($input: RenameOrganizationInput!) { it: renameOrganization(input: $input) { id } }",
    good: async () => {
      const organizationId = await createOrganization(app, "Before", owner);
      return { variables: { input: { organizationId, name: "Secretive" } }, as: owner };
    },
    bad: asStranger,
    code: "NOT_FOUND",
    done: (_, call) => about("ORGANIZATION", idIn(call, "organizationId"), idIn(call, "organizationId")),
    refused: (call) => about("ORGANIZATION", idIn(call, "organizationId"), idIn(call, "organizationId")),
  },
  transferOwnership: {
    text: "($input: TransferOwnershipInput!) { transferOwnership(input: $input) { it: user { id } } }",
    good: async () => {
      const [before, after] = [await createUser(app), await createUser(app)];
      const organizationId = await createOrganization(app, "Handed over", before);
      await addMember(app, organizationId, after);
      return { variables: { input: { organizationId, userId: after } }, as: before };
    },
    bad: asStranger,
    code: "NOT_FOUND",
    done: (_, call) => about("USER", idIn(call, "userId"), idIn(call, "organizationId")),
    refused: (call) => about("USER", idIn(call, "userId"), idIn(call, "organizationId")),
  },
  deleteOrganization: {
    text: "($input: DeleteOrganizationInput!) { it: deleteOrganization(input: $input) }",
    good: async () => {
      const organizationId = await createOrganization(app, "Ending", owner);
      return { variables: { input: { organizationId, confirm: "Ending" } }, as: owner };
    },
    bad: asStranger,
    code: "NOT_FOUND",
    done: (_, call) => about("ORGANIZATION", idIn(call, "organizationId"), idIn(call, "organizationId")),
    refused: (call) => about("ORGANIZATION", idIn(call, "organizationId"), idIn(call, "organizationId")),
  },
  inviteMember: {
    text: "($input: InviteMemberInput!) { it: inviteMember(input: $input) { id } }",
    good: async () => ({ variables: { input: { organizationId: acme, email: address() } }, as: owner }),
    bad: asStranger,
    code: "NOT_FOUND",
    done: ({ id }) => about("INVITATION", id, acme),
    refused: () => about("INVITATION", null, acme),
  },
  acceptInvitation: {
    text: "($token: String!) { acceptInvitation(token: $token) { it: organization { id } } }",
    good: async () => {
      const { token, guest } = await invitation();
      return { variables: { token }, as: guest };
    },
    bad: asStranger,
    code: "NOT_FOUND",
    done: () => about("ORGANIZATION", acme, acme),
    refused: () => about("ORGANIZATION", null),
  },
  revokeInvitation: {
    text: "($id: ID!) { it: revokeInvitation(id: $id) { id } }",
    good: async () => ({ variables: { id: (await invitation()).id }, as: owner }),
    bad: asStranger,
    code: "NOT_FOUND",
    done: ({ id }) => about("INVITATION", id, acme),
    refused: (call) => about("INVITATION", idIn(call, "id"), acme),
  },
  createApiKey: {
    text: "($input: CreateApiKeyInput!) { createApiKey(input: $input) { it: key { id } } }",
    good: async () => ({
      variables: { input: { name: "Secretive", organizationId: acme, role: "VIEWER" } },
      as: owner,
    }),
    bad: asStranger,
    code: "NOT_FOUND",
    done: ({ id }) => about("API_KEY", id, acme),
    refused: () => about("API_KEY", null, acme),
  },
  revokeApiKey: {
    text: "($id: ID!) { it: revokeApiKey(id: $id) { id } }",
    good: async () => {
      const { key } = await createApiKey(app, { organizationId: acme, role: "VIEWER" });
      return { variables: { id: key.id }, as: owner };
    },
    bad: asStranger,
    code: "NOT_FOUND",
    done: ({ id }) => about("API_KEY", id, acme),
    refused: (call) => about("API_KEY", idIn(call, "id"), acme),
  },
  linkIdentity: {
    text: "($input: LinkIdentityInput!) { it: linkIdentity(input: $input) { id } }",
    good: async () => ({
      variables: { input: { userId: owner, issuer: "https://id.example.com", subject: "Secretive" } },
    }),
    bad: asStranger,
    code: "FORBIDDEN",
    done: () => about("USER", owner),
    refused: () => about("USER", owner),
  },
  registerRegion: {
    text: "($input: RegisterRegionInput!) { it: registerRegion(input: $input) { id: key } }",
    good: async () => ({ variables: { input: { key: "us", name: "Secretive", connectionUrl: serverUrl("us") } } }),
    bad: asStranger,
    code: "FORBIDDEN",
    done: () => about("REGION", "us"),
    refused: () => about("REGION", null),
  },
  updateRegion: {
    text: "($input: UpdateRegionInput!) { it: updateRegion(input: $input) { id: key } }",
    good: async () => ({ variables: { input: { key: "us", name: "Secretive again" } } }),
    bad: asStranger,
    code: "FORBIDDEN",
    done: () => about("REGION", "us"),
    refused: () => about("REGION", "us"),
  },
  retireRegion: {
    text: "($input: RetireRegionInput!) { it: retireRegion(input: $input) { id: key } }",
    good: async () => ({ variables: { input: { key: "us" } } }),
    // No key of a region: whatever it is, it is not kept.
    bad: () => ({ variables: { input: { key: "secretive" } }, as: stranger }),
    code: "FORBIDDEN",
    done: () => about("REGION", "us"),
    refused: () => about("REGION", null),
  },
  grantRegionAccess: {
    text: "($input: GrantRegionAccessInput!) { it: grantRegionAccess(input: $input) { id } }",
    good: async () => ({ variables: { input: { organizationId: acme, regionKey: "eu" } }, as: owner }),
    bad: asStranger,
    code: "NOT_FOUND",
    done: ({ id }) => about("PLACEMENT", id, acme),
    refused: () => about("PLACEMENT", null, acme),
  },
  revokeRegionAccess: {
    text: "($input: RevokeRegionAccessInput!) { it: revokeRegionAccess(input: $input) { id } }",
    good: async () => ({ variables: { input: { placementId: placement, confirm: "Acme" } }, as: owner }),
    bad: asStranger,
    code: "NOT_FOUND",
    done: (_, call) => onPlacement(call),
    refused: onPlacement,
  },
  resumeRegionAccess: {
    text: "($placementId: ID!) { it: resumeRegionAccess(placementId: $placementId) { id } }",
    good: async () => ({ variables: { placementId: placement }, as: owner }),
    bad: asStranger,
    code: "NOT_FOUND",
    done: (_, call) => onPlacement(call),
    refused: onPlacement,
  },
  movePlacement: {
    text: "($input: MovePlacementInput!) { it: movePlacement(input: $input) { id } }",
    // A look ahead is recorded too.
    good: async () => ({ variables: { input: { placementId: placement, dryRun: true } }, as: owner }),
    bad: asStranger,
    code: "NOT_FOUND",
    done: (_, call) => onPlacement(call),
    refused: onPlacement,
  },
  cancelMove: {
    text: "($placementId: ID!) { it: cancelMove(placementId: $placementId) { id } }",
    good: async () => {
      await sql(
        app.databaseUrl,
        `with target as (
           insert into tenantry.tenant_databases (region_id, isolation, name)
           select region_id, 'DEDICATED', 'move_target' from tenantry.placements where id = $1 returning id
         )
         insert into tenantry.moves (placement_id, from_database_id, to_database_id, other_database_id, cancelled_at)
         select p.id, p.database_id, t.id, t.id, now() from tenantry.placements p, target t where p.id = $1`,
        [placement],
      );
      return { variables: { placementId: placement }, as: owner };
    },
    bad: asStranger,
    code: "NOT_FOUND",
    done: (_, call) => onPlacement(call),
    refused: onPlacement,
  },
  retryJobs: {
    text: "($ids: [ID!]!) { it: retryJobs(ids: $ids) { id } }",
    good: async () => ({ variables: { ids: [placement] } }),
    bad: asStranger,
    code: "FORBIDDEN",
    done: () => about("JOB", null),
    refused: () => about("JOB", null),
  },
  retryPlacement: {
    text: "($placementId: ID!) { it: retryPlacement(placementId: $placementId) { id } }",
    good: async () => ({ variables: { placementId: placement }, as: owner }),
    bad: asStranger,
    code: "NOT_FOUND",
    done: (_, call) => onPlacement(call),
    refused: onPlacement,
  },
  createResource: {
    text: "($input: CreateResourceInput!) { it: createResource(input: $input) { id } }",
    good: async () => ({ variables: { input: { name: "Secretive", organizationId: acme } }, as: owner }),
    bad: ({ variables }) => ({ variables, as: viewer }),
    code: "FORBIDDEN",
    done: ({ id }) => about("RESOURCE", id, acme),
    refused: () => about("ORGANIZATION", acme, acme),
  },
  createComment: {
    text: "($input: CreateCommentInput!) { it: createComment(input: $input) { id } }",
    good: async () => ({ variables: { input: { resourceId: resource, body: "Secretive" } }, as: owner }),
    bad: ({ variables }) => ({ variables, as: viewer }),
    code: "FORBIDDEN",
    done: ({ id }) => about("COMMENT", id, acme),
    refused: () => about("RESOURCE", resource, acme),
  },
  updateResource: {
    text: "($input: UpdateResourceInput!) { it: updateResource(input: $input) { id } }",
    good: async () => ({
      variables: {
        input: {
          resourceId: await createResource(app, { name: "Secretive", organizationId: acme }),
          name: "Secretive",
        },
      },
      as: owner,
    }),
    bad: ({ variables }) => ({ variables, as: viewer }),
    code: "FORBIDDEN",
    done: (_, call) => about("RESOURCE", idIn(call, "resourceId"), acme),
    refused: (call) => about("RESOURCE", idIn(call, "resourceId"), acme),
  },
  deleteResource: {
    text: "($input: DeleteResourceInput!) { it: deleteResource(input: $input) }",
    good: async () => ({
      variables: { input: { resourceId: await createResource(app, { name: "Secretive", organizationId: acme }) } },
      as: owner,
    }),
    bad: ({ variables }) => ({ variables, as: viewer }),
    code: "FORBIDDEN",
    done: (_, call) => about("RESOURCE", idIn(call, "resourceId"), acme),
    refused: (call) => about("RESOURCE", idIn(call, "resourceId"), acme),
  },
  updateComment: {
    text: "($input: UpdateCommentInput!) { it: updateComment(input: $input) { id } }",
    good: async () => ({
      variables: { input: { commentId: await comment(app, resource, owner), body: "Secretive" } },
      as: owner,
    }),
    bad: ({ variables }) => ({ variables, as: viewer }),
    code: "FORBIDDEN",
    done: (_, call) => about("COMMENT", idIn(call, "commentId"), acme),
    refused: (call) => about("COMMENT", idIn(call, "commentId"), acme),
  },
  deleteComment: {
    text: "($input: DeleteCommentInput!) { it: deleteComment(input: $input) }",
    good: async () => ({ variables: { input: { commentId: await comment(app, resource, owner) } }, as: owner }),
    bad: ({ variables }) => ({ variables, as: viewer }),
    code: "FORBIDDEN",
    done: (_, call) => about("COMMENT", idIn(call, "commentId"), acme),
    refused: (call) => about("COMMENT", idIn(call, "commentId"), acme),
  },
};

const CONTENT = new Set(
  ["Resource", "Comment"].flatMap((type) => ["create", "update", "delete"].map((verb) => `${verb}${type}`)),
);

test("every mutation of the schema is tried here", () => {
  expect(Object.keys(CASES).toSorted()).toEqual(Object.keys(schema.getMutationType()?.getFields() ?? {}).toSorted());
});

function caller(as: string | undefined): Partial<Entry> {
  const from = { via: "DEVELOPMENT", address: "127.0.0.1", userAgent: "node" };
  return as === undefined ? { who: "OPERATOR", whoId: null, ...from } : { who: "USER", whoId: as, ...from };
}

/** The newest entry there is, at home or with an organization also in its regions. */
const newest = async (action: string, organizationId: string | null) =>
  (await entriesOf(app, organizationId, undefined, 5)).find((entry) => entry.action === action);

test.each(Object.entries(CASES))("%s leaves an entry, done or refused", async (action, one) => {
  const query = `mutation ${one.text}`;
  const call = await one.good();
  const refusedCall = await one.bad(call);
  expect(await app.refuse(query, refusedCall.variables, refusedCall.as)).toMatchObject({ code: one.code });
  const refused = one.refused(refusedCall);
  expect(await newest(action, null)).toMatchObject({
    action,
    outcome: one.code,
    ...refused,
    ...caller(refusedCall.as),
  });

  const answer = await app.ask(query, call.variables, call.as);
  const made = answer.it ?? answer[action].it;
  const done = one.done(made, call);
  const isContent = CONTENT.has(action);
  const entry = await newest(action, isContent ? acme : null);
  expect(entry).toMatchObject({
    action,
    outcome: "OK",
    ...done,
    ...caller(call.as),
    regionKey: isContent ? "eu" : null,
  });
  const inPlacement = isContent || done.subjectKind === "PLACEMENT";
  expect(entry?.placementId).toBe(inPlacement ? placement : null);
});

test("entries hold ids, and neither names nor texts nor e-mail addresses nor secrets", async () => {
  const everything =
    "select (a, o)::text as text from tenantry.audit_log a left join tenantry.audit_outcomes o on o.entry_id = a.id";
  const rows = [
    ...(await sql<{ text: string }>(app.databaseUrl, everything)),
    ...(await sql<{ text: string }>(region, "select a::text as text from tenantry.audit_log a")),
  ];
  expect(rows.length).toBeGreaterThan(40);
  const said = rows.map(({ text }) => text).join("\n");
  expect(said).not.toMatch(/secretive|@|tnk_|postgres:/i);
});

describe("entries about content", () => {
  test("are in the region, beside it and nowhere else", async () => {
    const id = await comment(app, resource, owner, "Where is this recorded?");
    const inRegion = await sql(
      region,
      "select action, subject_kind, who from tenantry.audit_log where subject_id = $1",
      [id],
    );
    expect(inRegion).toEqual([{ action: "createComment", subject_kind: "COMMENT", who: "OPERATOR" }]);
    const written = await sql<{ id: string }>(region, "select id from app.comments union select id from app.resources");
    const recorded = await sql<{ id: string }>(
      region,
      `select subject_id as id from tenantry.audit_log
       except select subject_id from tenantry.audit_log where action in ('deleteResource', 'deleteComment')`,
    );
    expect(new Set(recorded.map((row) => row.id))).toEqual(new Set(written.map((row) => row.id)));
    const atHome = await sql(
      app.databaseUrl,
      "select from tenantry.audit_log where subject_id = any($1) and outcome = 'OK'",
      [written.map((row) => row.id)],
    );
    expect(atHome).toEqual([]);
  });

  test("are at home for the default organization", async () => {
    const atHome = await createResource(app, { name: "At home" });
    const note = await comment(app, atHome, owner);
    const entries = await entriesOf(app, null, undefined, 2);
    expect(entries).toMatchObject([
      { action: "createComment", outcome: "OK", subjectKind: "COMMENT", subjectId: note, organizationId: null },
      { action: "createResource", outcome: "OK", subjectKind: "RESOURCE", subjectId: atHome, organizationId: null },
    ]);
  });
});

describe("the log is append-only", () => {
  const refusal = /the audit log is append-only/;
  test.each(["update T set at = now()", "delete from T", "truncate T", "delete from T where false"])(
    "for the owner: %s",
    async (text) => {
      for (const [url, table] of [
        [app.databaseUrl, "tenantry.audit_log"],
        [app.databaseUrl, "tenantry.audit_outcomes"],
        [region, "tenantry.audit_log"],
      ] as const) {
        const before = await sql(url, `select count(*) from ${table}`);
        await expect(sql(url, text.replace("T", table))).rejects.toThrow(refusal);
        const asReplica = `set session_replication_role = replica; ${text.replace("T", table)}`;
        await expect(sql(url, asReplica)).rejects.toThrow(refusal);
        expect(await sql(url, `select count(*) from ${table}`)).toEqual(before);
      }
    },
  );

  test("an outcome is said once", async () => {
    const [first] = await sql<{ id: string }>(
      app.databaseUrl,
      "select entry_id as id from tenantry.audit_outcomes limit 1",
    );
    const again = "insert into tenantry.audit_outcomes (entry_id, outcome) values ($1, 'OK')";
    await expect(sql(app.databaseUrl, again, [first?.id])).rejects.toThrow(/duplicate key/);
  });
});

describe("the log is read", () => {
  test("by the organization's owner: what concerns it, and not from where operators work", async () => {
    await app.ask("mutation ($in: AddOrganizationMemberInput!) { addOrganizationMember(input: $in) { role } }", {
      in: { organizationId: acme, userId: viewer, role: "VIEWER" },
    });
    const entries = await entriesOf(app, acme, owner);
    expect(entries.length).toBeGreaterThan(20);
    expect(entries.filter(({ organizationId }) => organizationId !== acme)).toEqual([]);
    expect(entries[0]).toMatchObject({ who: "OPERATOR", whoId: null, address: null, userAgent: null });
    expect(entries.find(({ whoId }) => whoId === owner)).toMatchObject({ address: "127.0.0.1" });
    expect((await entriesOf(app, acme))[0]).toMatchObject({ who: "OPERATOR", address: "127.0.0.1" });
    expect(await entriesOf(app, other, stranger)).toMatchObject([{ action: "createOrganization", subjectId: other }]);
    expect(await app.refuse(AUDIT_LOG, { id: null }, owner)).toMatchObject({ code: "FORBIDDEN" });
  });

  test("by nobody else", async () => {
    const outsider = await createUser(app);
    expect(await app.refuse(AUDIT_LOG, { id: acme }, stranger)).toMatchObject({ code: "NOT_FOUND" });
    expect(await app.refuse(AUDIT_LOG, { id: acme }, outsider)).toMatchObject({ code: "NOT_FOUND" });
    for (const role of ["ADMIN", "MEMBER", "VIEWER"] as const) {
      await addMember(app, acme, outsider, role);
      expect(await app.refuse(AUDIT_LOG, { id: acme }, outsider)).toMatchObject({ code: "FORBIDDEN" });
      const { secret } = await createApiKey(app, { organizationId: acme, role });
      expect((await postAs(api, secret, AUDIT_LOG, { id: acme })).errors?.[0]?.extensions.code).toBe("FORBIDDEN");
      expect((await postAs(api, secret, AUDIT_LOG)).errors?.[0]?.extensions.code).toBe("FORBIDDEN");
    }
    const { secret: foreign } = await createApiKey(app, { organizationId: other, role: "OWNER" });
    expect((await postAs(api, foreign, AUDIT_LOG, { id: acme })).errors?.[0]?.extensions.code).toBe("NOT_FOUND");
    expect((await postAs(api, undefined, AUDIT_LOG, { id: acme })).errors?.[0]?.extensions.code).toBe(
      "UNAUTHENTICATED",
    );
    const { secret: own } = await createApiKey(app, { organizationId: acme, role: "OWNER" });
    expect((await postAs(api, own, AUDIT_LOG, { id: acme })).errors).toBeUndefined();
  });

  test("in pages that leave nothing out, home's entries between the region's", async () => {
    const whole = await entriesOf(app, acme, owner);
    expect(new Set(whole.map(({ regionKey }) => regionKey))).toEqual(new Set([null, "eu"]));
    const ids = whole.map(({ id }) => id);
    expect(ids).toEqual(ids.toSorted().toReversed());
    const paged: string[] = [];
    let after: string | null = null;
    do {
      const { auditLog }: any = await app.ask(AUDIT_LOG, { id: acme, first: 7, after }, owner);
      paged.push(...auditLog.edges.map(({ node }: { node: Entry }) => node.id));
      after = auditLog.pageInfo.hasNextPage ? auditLog.pageInfo.endCursor : null;
    } while (after !== null);
    expect(paged).toEqual(ids);
  });
});

describe("who did it", () => {
  const QUERY = "mutation ($in: CreateOrganizationInput!) { createOrganization(input: $in) { id } }";
  test("an operator by a key is that key; a key of an organization is itself", async () => {
    const operators = await createApiKey(app);
    await postAs(api, operators.secret, QUERY, { in: { name: "By key" } });
    expect((await entriesOf(app, null, undefined, 1))[0]).toMatchObject({
      who: "OPERATOR",
      whoId: operators.key.id,
      via: "KEY",
      outcome: "OK",
    });
    const organizations = await createApiKey(app, { organizationId: acme, role: "OWNER" });
    await postAs(api, organizations.secret, QUERY, { in: { name: "By key" } });
    expect((await entriesOf(app, null, undefined, 1))[0]).toMatchObject({
      who: "KEY",
      whoId: organizations.key.id,
      via: "KEY",
      outcome: "FORBIDDEN",
    });
  });

  test("behind a proxy is at the address that the proxy saw, also over a web socket", async () => {
    const { secret } = await createApiKey(app);
    const from = { "user-agent": "a program", "x-forwarded-for": "6.6.6.6, 203.0.113.7" };
    const headers = { ...from, authorization: `Bearer ${secret}` };
    const query = 'mutation { createOrganization(input: { name: "Behind a proxy" }) { id } }';
    await fetch(`${api.url}/graphql`, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body: JSON.stringify({ query }),
    }).then((response) => response.json());
    const expected = { action: "createOrganization", outcome: "OK", address: "203.0.113.7", userAgent: "a program" };
    const [overHttp] = await entriesOf(app, null, undefined, 1);
    expect(overHttp).toMatchObject(expected);
    class WithHeaders extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols, { headers });
      }
    }
    const client = createClient({
      url: `${api.url.replace("http", "ws")}/graphql`,
      webSocketImpl: WithHeaders,
    });
    for await (const result of client.iterate({ query })) expect(result.errors).toBeUndefined();
    await client.dispose();
    const [overSocket] = await entriesOf(app, null, undefined, 1);
    expect(overSocket).toMatchObject(expected);
    expect(overSocket?.id).not.toBe(overHttp?.id);
  });

  test("who is not signed in is counted, not recorded", async () => {
    const before = await entriesOf(app, null, undefined, 1);
    await postAs(api, undefined, QUERY, { in: { name: "Nobody" } });
    await postAs(api, "nonsense", QUERY, { in: { name: "Nobody" } });
    expect(await entriesOf(app, null, undefined, 1)).toEqual(before);
    const { secret } = await createApiKey(app);
    const metrics = await fetch(`${api.url}/metrics`, { headers: { authorization: `Bearer ${secret}` } });
    expect(await metrics.text()).toMatch(/^tenantry_sign_in_refused_total [2-9]/m);
  });
});
