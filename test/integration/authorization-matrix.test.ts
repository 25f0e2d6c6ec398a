/**
 * Every field of the schema, by every kind of caller, over HTTP: what comes of it is what the policy table says. Generated
 * from the schema, so a field or a case of a rule that nothing here reaches fails too.
 */
import { randomUUID } from "node:crypto";
import { isObjectType, getNamedType, type DocumentNode, parse } from "graphql";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Role } from "../../src/engine/auth/roles.ts";
import { fieldsOf } from "../../src/api/graphql/policy/field-rules.ts";
import { since, toCursor } from "../../src/engine/events/position.ts";
import { POLICY, schema } from "../support/schema.ts";
import { serverUrl, sql } from "../support/app.ts";
import { countAtBorder } from "../support/border.ts";
import { firstAnswer } from "../support/follow.ts";
import { addMember, comment, createResource } from "../support/journey.ts";
import {
  type Caller,
  callersOf,
  type Content,
  invite,
  makeContent,
  type Person,
  type SignedInApp,
  startSignedInApp,
} from "../support/organization-fixture.ts";
import { fieldsOn, type Outcome, outcomeAlong } from "../support/policy-outcome.ts";
import { createApiKey, postAs } from "../support/signed-in.ts";

/** How each type is come by; `%` is where its fields go. What calls something else than a way is a field's own check. */
const WAYS: Record<string, string> = {
  User: "query ($member: ID!) { user(id: $member) { % } }",
  Organization: "query ($organization: ID!) { organization(id: $organization) { % } }",
  Membership:
    "query ($organization: ID!) { organization(id: $organization) { members(first: 1) { edges { node { % } } } } }",
  Invitation: "query ($organization: ID!) { organization(id: $organization) { invitations { edges { node { % } } } } }",
  ApiKey: "query ($organization: ID!) { apiKeys(organizationId: $organization) { edges { node { % } } } }",
  CreatedApiKey:
    'mutation ($organization: ID!) { createApiKey(input: { name: "Matrix", organizationId: $organization, role: VIEWER }) { % } }',
  Region: "query ($region: String!) { region(key: $region) { % } }",
  RegionServer: "query ($region: String!) { region(key: $region) { server { % } } }",
  Placement: "query ($placement: ID!) { placement(id: $placement) { % } }",
  PlacementMove:
    "mutation ($placement: ID!) { movePlacement(input: { placementId: $placement, dryRun: true }) { move { % } } }",
  MoveEnd:
    "mutation ($placement: ID!) { movePlacement(input: { placementId: $placement, dryRun: true }) { move { from { % } } } }",
  ReplicationStatus: "query ($placement: ID!) { placement(id: $placement) { replication { % } } }",
  Resource: "query ($resource: ID!) { resource(id: $resource) { % } }",
  Comment: "query ($resource: ID!) { resource(id: $resource) { comments { edges { node { % } } } } }",
  Job: "query ($placement: ID!) { jobs(placementId: $placement) { edges { node { % } } } }",
  JobStep: "query ($placement: ID!) { jobs(placementId: $placement) { edges { node { steps { % } } } } }",
  Erasure: "mutation ($nobody: ID!) { eraseUser(id: $nobody) { % } }",
  Replication: "{ replication { % } }",
  ReplicationServer: "{ replication { servers { % } } }",
  ServerHeadroom: "{ replication { servers { headroom { % } } } }",
  ReplicationDatabase: "{ replication { databases { edges { node { % } } } } }",
  ReplicationFlow: "{ replication { databases { edges { node { flows { % } } } } } }",
  ReplicationDatabaseConnection: "{ replication { databases { % } } }",
  ReplicationDatabaseEdge: "{ replication { databases { edges { % } } } }",
  Border: "{ border { % } }",
  BorderFlow: "{ border { mayCross { % } } }",
  BorderCrossing: "{ border { crossed { edges { node { % } } } } }",
  BorderCrossingConnection: "{ border { crossed { % } } }",
  BorderCrossingEdge: "{ border { crossed { edges { % } } } }",
  BorderRefusal: "{ border { refused { edges { node { % } } } } }",
  BorderRefusalConnection: "{ border { refused { % } } }",
  BorderRefusalEdge: "{ border { refused { edges { % } } } }",
  AuditEntry: "query ($organization: ID!) { auditLog(organizationId: $organization) { edges { node { % } } } }",
  AuditLogConnection: "query ($organization: ID!) { auditLog(organizationId: $organization) { % } }",
  AuditLogEdge: "query ($organization: ID!) { auditLog(organizationId: $organization) { edges { % } } }",
  MembershipChange:
    "subscription ($organization: ID!, $cursor: String!) { membershipChanged(organizationId: $organization, after: $cursor) { % } }",
  ResourceChange:
    "subscription ($organization: ID!, $cursor: String!) { resourceChanged(organizationId: $organization, after: $cursor) { % } }",
  PageInfo: "query ($organization: ID!) { organization(id: $organization) { members { pageInfo { % } } } }",
  ApiKeyConnection: "query ($organization: ID!) { apiKeys(organizationId: $organization) { % } }",
  ApiKeyEdge: "query ($organization: ID!) { apiKeys(organizationId: $organization) { edges { % } } }",
  CommentConnection: "query ($resource: ID!) { resource(id: $resource) { comments { % } } }",
  CommentEdge: "query ($resource: ID!) { resource(id: $resource) { comments { edges { % } } } }",
  InvitationConnection: "query ($organization: ID!) { organization(id: $organization) { invitations { % } } }",
  InvitationEdge: "query ($organization: ID!) { organization(id: $organization) { invitations { edges { % } } } }",
  JobConnection: "query ($placement: ID!) { jobs(placementId: $placement) { % } }",
  JobEdge: "query ($placement: ID!) { jobs(placementId: $placement) { edges { % } } }",
  OrganizationConnection: "{ organizations(first: 100) { % } }",
  OrganizationEdge: "{ organizations(first: 100) { edges { % } } }",
  OrganizationMembersConnection: "query ($organization: ID!) { organization(id: $organization) { members { % } } }",
  OrganizationMembersEdge: "query ($organization: ID!) { organization(id: $organization) { members { edges { % } } } }",
  RegionPlacementsConnection: "query ($region: String!) { region(key: $region) { placements { % } } }",
  RegionPlacementsEdge: "query ($region: String!) { region(key: $region) { placements { edges { % } } } }",
  ResourceConnection: "query ($organization: ID!) { organization(id: $organization) { resources { % } } }",
  ResourceEdge: "query ($organization: ID!) { organization(id: $organization) { resources { edges { % } } } }",
  UserOrganizationsConnection: "query ($member: ID!) { user(id: $member) { organizations { % } } }",
  UserOrganizationsEdge: "query ($member: ID!) { user(id: $member) { organizations { edges { % } } } }",
  UserConnection: "{ users(first: 100) { % } }",
  UserEdge: "{ users(first: 100) { edges { % } } }",
  Coordinates: "query ($region: String!) { region(key: $region) { coordinates { % } } }",
  HomeServer: "{ home { % } }",
  Viewer: "{ viewer { % } }",
  Overview: "{ overview { % } }",
  RegionOverview: "{ overview { regions { % } } }",
  PlacementStateCount: "{ overview { regions { states { % } } } }",
  JobCounts: "{ overview { jobs { % } } }",
  LinkCounts: "{ overview { links { % } } }",
  Attention: "{ overview { attention { % } } }",
  Link: "query ($placement: ID!) { placement(id: $placement) { links { % } } }",
  LinkConnection: "{ links { % } }",
  LinkEdge: "{ links { edges { % } } }",
  JobKind: "{ jobKinds { % } }",
  RetriedJob: "mutation ($nobody: ID!) { retryJobs(ids: [$nobody]) { % } }",
  PlacementContent: "query ($placement: ID!) { placement(id: $placement) { content { % } } }",
  PlacementTable: "query ($placement: ID!) { placement(id: $placement) { content { tables { % } } } }",
  PlacementConnection: "{ placements { % } }",
  PlacementEdge: "{ placements { edges { % } } }",
  ActionPlan: "query ($placement: ID!) { revocationPlan(placementId: $placement) { % } }",
  BorderDay: "{ border { days { % } } }",
  Fleet: "{ fleet { % } }",
  FleetVersion: "{ fleet { versions { % } } }",
  FleetDatabase: "{ fleet { databases { edges { node { % } } } } }",
  FleetDatabaseConnection: "{ fleet { databases { % } } }",
  FleetDatabaseEdge: "{ fleet { databases { edges { % } } } }",
  FleetRun: "{ fleet { run { % } } }",
  FleetDrift: "{ fleet { drift { edges { node { % } } } } }",
  FleetDriftConnection: "{ fleet { drift { % } } }",
  FleetDriftEdge: "{ fleet { drift { edges { % } } } }",
};

/** One call of a root field, or of a field in a case that its way does not show. */
type Call = {
  field: string;
  /** Which case of the field's rule; left out: the rule itself. */
  named?: string;
  /** Cases of fields that are passed on the way. */
  cases?: Record<string, string>;
  query: string;
  /** Made anew for each caller. */
  variables?: (caller: Caller) => object | Promise<object>;
  /** Data counts when this is in the answer. */
  holds?: () => string;
  /** What makes a subscription say something. */
  happen?: () => Promise<unknown>;
  /** Left out: everybody. */
  by?: (caller: Caller) => boolean;
  /** Whether it is about the calling person. */
  self?: (caller: Caller) => boolean;
  /** Puts back what a call that went through has changed. */
  after?: () => Promise<unknown>;
};

describe.each(["DEDICATED", "SHARED"])("in a placement of isolation %s", (isolation) => {
  let app: SignedInApp;
  let own: Content;
  let other: Content;
  let callers: Caller[];
  let loner: Person;
  let atHome: string;
  let speaker: Person;
  let nobody: string;
  let secrets: string[];
  /** Of before anything happened. */
  let cursor: string;

  beforeAll(async () => {
    app = await startSignedInApp();
    cursor = toCursor(app.setup.services.secrets, since(Date.now()));
    own = await makeContent(app, { marker: "kestrel-71", regionKey: "eu", regionUrl: serverUrl("eu"), isolation });
    // In the same database where it can be shared.
    const elsewhere = isolation === "SHARED" ? "eu" : "us";
    const location = { regionKey: elsewhere, regionUrl: serverUrl(elsewhere), isolation };
    other = await makeContent(app, { marker: "walrus-38", ...location });
    loner = await app.person("Loner");
    nobody = (await app.person("Nobody")).id;
    callers = callersOf(app, own, other, loner);
    // Known by name to everybody: nothing else of them may be.
    speaker = await app.person("Speaker");
    await addMember(app.setup, own.id, speaker.id, "VIEWER");
    atHome = await createResource(app.setup, { name: "At home" });
    await comment(app.setup, atHome, speaker.id, "Heard by everybody");
    await countAtBorder(app.setup);
    await sql(app.setup.databaseUrl, "update tenantry.regions set latitude = 50.11, longitude = 8.68");
    // Something that the operator has to look at, and a migration of the fleet.
    await sql(
      app.setup.databaseUrl,
      `insert into tenantry.jobs (id, kind, subject, requested_by, state, started_at, last_error)
       values (gen_random_uuid(), 'review-erasures', 'region:none', 'system', 'FAILED', now(), 'It failed.'),
              (gen_random_uuid(), 'migrate-databases', 'fleet', 'operator', 'DONE', now(), null)`,
    );
    const people = Object.values(own.people).flatMap(({ id, email }) => [id, email]);
    secrets = [own.marker, own.id, own.placement, own.resource, own.comment, own.invitation, own.database];
    secrets.push(speaker.email, ...people, ...own.jobs, ...Object.values(own.keys).map(({ id }) => id));
  });
  afterAll(() => app.stop());

  const given = () => ({
    organization: own.id,
    member: own.people.MEMBER.id,
    region: own.regionKey,
    placement: own.placement,
    resource: own.resource,
    nobody,
    cursor,
  });

  /** What came of it. `reaches`: whether the data is what was asked for. */
  function outcome(
    answer: { data: any; errors?: { extensions: { code: string } }[] },
    reaches: (data: unknown) => boolean,
  ): string {
    const code = answer.errors?.[0]?.extensions.code;
    if (code !== undefined) return code;
    if (reaches(answer.data)) return "data";
    return "left out";
  }

  /** Who may not see it gets not one byte of it, beside what they said themselves. */
  function expectNothingSaid(answer: object, sent: object, who: string): void {
    const said = JSON.stringify(sent);
    const text = JSON.stringify(answer);
    for (const secret of secrets.filter((one) => !said.includes(one)))
      expect(text.includes(secret), `${who} got ${secret}: ${text}`).toBe(false);
  }

  async function ask(caller: Caller, query: string, variables: object, happen?: () => Promise<unknown>) {
    const follows = query.startsWith("subscription");
    const answer = follows
      ? await firstAnswer(app.api, caller.token, { query, variables }, happen)
      : await postAs(app.api, caller.token, query, variables);
    const { data, errors } = answer;
    return errors === undefined ? { data } : { data, errors };
  }

  const isLeftOut = (expected: Outcome, is: string) => expected === "left out" && is === "data";

  test.each(readings())("$name", async ({ query, document, names }) => {
    const used = Object.fromEntries(Object.entries(given()).filter(([name]) => query.includes(`$${name}`)));
    const results = await Promise.all(
      callers.map(async (caller) => {
        // The user whom the ways lead to is a caller, too.
        const expected = outcomeAlong(fieldsOn(schema, document), caller, { self: caller.name === "MEMBER" });
        const answer = await ask(caller, query, used);
        const is = outcome(answer, (data) => names.every((name) => hasKey(data, aliasOf(name))));
        if (expected !== "data") expectNothingSaid(answer, used, caller.name);
        // A list without it may hold the caller's own.
        return { caller: caller.name, expected, is: isLeftOut(expected, is) ? "left out" : is };
      }),
    );
    expect(results.map(({ caller, is }) => [caller, is])).toEqual(
      results.map(({ caller, expected }) => [caller, expected]),
    );
  });

  test.each(calls().map((call) => ({ name: `${call.field} ${call.named ?? ""}`.trim(), call })))(
    "$name",
    async ({ call }) => {
      const fields = fieldsOn(schema, parse(call.query));
      const cases = { ...call.cases, ...(call.named === undefined ? {} : { [call.field]: call.named }) };
      const results: [who: string, is: string][] = [];
      const expectations: [who: string, expected: string][] = [];
      for (const caller of callers.filter((one) => call.by?.(one) ?? true)) {
        const variables = (await call.variables?.(caller)) ?? {};
        const expected = outcomeAlong(fields, caller, { cases, self: call.self?.(caller) ?? false });
        const answer = await ask(caller, call.query, variables, call.happen);
        if (expected !== "data") expectNothingSaid(answer, variables, caller.name);
        const text = JSON.stringify(answer.data ?? null);
        const is = outcome(answer, () => call.holds === undefined || text.includes(call.holds()));
        results.push([caller.name, is]);
        expectations.push([caller.name, expected]);
        await call.after?.();
      }
      expect(results).toEqual(expectations);
    },
  );

  test("reaches every field of the schema, and every case of a rule", () => {
    const reached = new Set([
      ...readings().flatMap(({ type, names }) => names.map((name) => `${type}.${name}`)),
      ...calls()
        .filter(({ named }) => named === undefined)
        .map(({ field }) => field),
    ]);
    expect(
      fieldsOf(schema)
        .map(({ name }) => name)
        .filter((name) => !reached.has(name)),
    ).toEqual([]);
    const cases = new Set(calls().map(({ field, named }) => `${field} ${named}`));
    const rows = Object.entries(POLICY).flatMap(([type, fields]) =>
      Object.entries(fields).flatMap(([field, row]) =>
        Object.keys(row.cases).map((named) => `${type}.${field} ${named}`),
      ),
    );
    expect(rows.filter((one) => !cases.has(one))).toEqual([]);
    // A way that leads elsewhere would reach nothing.
    for (const { type, document, names } of readings())
      expect(fieldsOn(schema, document)).toEqual(expect.arrayContaining(names.map((name) => `${type}.${name}`)));
  });

  function calls(): Call[] {
    const memberId = (caller: Caller) => (caller.name === "MEMBER" ? own.people.OWNER.id : own.people.MEMBER.id);
    const newcomer = async () => (await app.person(`Newcomer ${own.marker}`)).id;
    const newMember = async (role: Role) => {
      const id = await newcomer();
      await addMember(app.setup, own.id, id, role);
      return id;
    };
    const isUser = ({ kind }: Caller) => kind === "user";
    const home = (text: string, values: unknown[]) => sql(app.setup.databaseUrl, text, values);
    const restore = async () => {
      for (const role of ["OWNER", "ADMIN", "MEMBER", "VIEWER"] as const)
        await addMember(app.setup, own.id, own.people[role].id, role);
    };
    const input = (type: string, field: string, selection: string) =>
      `mutation ($input: ${type}!) { ${field}(input: $input) { ${selection} } }`;
    const deletion = (type: string, field: string) => `mutation ($input: ${type}!) { ${field}(input: $input) }`;
    const key = (organizationId: string | undefined, role: string | undefined) => ({
      input: { name: `Key ${own.marker}`, organizationId, role },
    });
    const resume = () =>
      app.setup.ask("mutation ($id: ID!) { resumeRegionAccess(placementId: $id) { state } }", { id: own.placement });
    const DEFAULT = "of the default organization";
    const QUERIES: Call[] = [
      { field: "Query.me", query: "{ me { id } }" },
      { field: "Query.eventCursor", query: "{ eventCursor }" },
      { field: "Query.viewer", query: "{ viewer { who } }" },
      {
        field: "Query.node",
        query: "query ($id: ID!) { node(id: $id) { ... on Organization { name } } }",
        variables: () => ({ id: own.id }),
        holds: () => own.name,
      },
      {
        field: "Query.nodes",
        query: "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Placement { database } } }",
        variables: () => ({ ids: [own.placement, own.resource] }),
        holds: () => own.database,
      },
      {
        field: "Query.user",
        query: "query ($id: ID!) { user(id: $id) { email } }",
        variables: () => ({ id: own.people.MEMBER.id }),
        holds: () => own.people.MEMBER.email,
      },
      {
        field: "Query.users",
        query: "{ users(first: 100) { edges { node { email } } } }",
        holds: () => own.people.MEMBER.email,
      },
      {
        field: "Query.users",
        named: "by address",
        query: "query ($email: String!) { users(email: $email) { edges { node { id } } } }",
        variables: () => ({ email: own.people.MEMBER.email.toUpperCase() }),
        holds: () => own.people.MEMBER.id,
      },
      {
        field: "Query.organization",
        query: "query ($id: ID!) { organization(id: $id) { name } }",
        variables: () => ({ id: own.id }),
        holds: () => own.name,
      },
      {
        field: "Query.organizations",
        query: "{ organizations(first: 100) { edges { node { name } } } }",
        holds: () => own.name,
      },
      {
        field: "Query.region",
        query: "query ($key: String!) { region(key: $key) { name } }",
        variables: () => ({ key: own.regionKey }),
      },
      { field: "Query.regions", query: "{ regions { key name } }", holds: () => own.regionKey },
      {
        field: "Query.placement",
        query: "query ($id: ID!) { placement(id: $id) { database } }",
        variables: () => ({ id: own.placement }),
        holds: () => own.database,
      },
      {
        field: "Query.resource",
        query: "query ($id: ID!) { resource(id: $id) { name } }",
        variables: () => ({ id: own.resource }),
        holds: () => own.marker,
      },
      {
        field: "Query.resource",
        named: DEFAULT,
        query: "query ($id: ID!) { resource(id: $id) { name } }",
        variables: () => ({ id: atHome }),
        holds: () => "At home",
      },
      {
        field: "Query.resources",
        query: "{ resources(first: 100) { edges { node { name } } } }",
        holds: () => own.marker,
      },
      {
        field: "Query.resources",
        named: DEFAULT,
        query: "{ resources(first: 100) { edges { node { id } } } }",
        holds: () => atHome,
      },
      {
        field: "Query.apiKeys",
        query: "query ($id: ID!) { apiKeys(organizationId: $id) { edges { node { name } } } }",
        variables: () => ({ id: own.id }),
        holds: () => own.marker,
      },
      { field: "Query.apiKeys", named: "of operators", query: "{ apiKeys { edges { node { name } } } }" },
      {
        field: "Query.jobs",
        query: "{ jobs(first: 100) { edges { node { id } } } }",
        holds: () => own.jobs[0] ?? "none",
      },
      {
        field: "Query.auditLog",
        query: "query ($id: ID!) { auditLog(organizationId: $id, first: 100) { edges { node { subjectId } } } }",
        variables: () => ({ id: own.id }),
        holds: () => own.resource,
      },
      { field: "Query.auditLog", named: "of everything", query: "{ auditLog { edges { node { subjectId } } } }" },
      {
        field: "Query.job",
        query: "query ($id: ID!) { job(id: $id) { kind } }",
        variables: () => ({ id: own.jobs[0] ?? "none" }),
        holds: () => "placement",
      },
      { field: "Query.jobKinds", query: "{ jobKinds { name } }", holds: () => "provision-placement" },
      {
        field: "Query.links",
        query: "{ links(first: 100) { edges { node { database } } } }",
        holds: () => own.database,
      },
      { field: "Query.overview", query: "{ overview { placements regions { region { key } } } }" },
      { field: "Query.home", query: "{ home { version } }" },
      { field: "Query.fleet", query: "{ fleet { target } }" },
      {
        field: "Query.placements",
        query: "{ placements(first: 100) { edges { node { id } } } }",
        holds: () => own.placement,
      },
      {
        field: "Query.revocationPlan",
        query: "query ($id: ID!) { revocationPlan(placementId: $id) { sentences confirm } }",
        variables: () => ({ id: own.placement }),
        holds: () => own.name,
      },
      {
        field: "Query.organizationDeletionPlan",
        query: "query ($id: ID!) { organizationDeletionPlan(organizationId: $id) { sentences confirm } }",
        variables: () => ({ id: own.id }),
        holds: () => own.name,
      },
      {
        field: "Query.regionRetirementPlan",
        query: "query ($key: String!) { regionRetirementPlan(key: $key) { obstacles confirm } }",
        variables: () => ({ key: own.regionKey }),
      },
      { field: "Query.replication", query: "{ replication { __typename } }" },
      { field: "Query.border", query: "{ border { __typename } }" },
      {
        field: "User.email",
        named: "of an author in the default organization",
        cases: { "Query.resource": DEFAULT },
        query: "query ($id: ID!) { resource(id: $id) { comments { edges { node { author { email } } } } } }",
        variables: () => ({ id: atHome }),
        holds: () => speaker.email,
      },
    ];
    const PEOPLE: Call[] = [
      {
        field: "Mutation.createUser",
        query: input("CreateUserInput", "createUser", "id"),
        variables: () => ({ input: { name: "Made", email: `made.${randomUUID()}@example.com` } }),
      },
      {
        field: "Mutation.updateUser",
        query: input("UpdateUserInput", "updateUser", "id"),
        variables: () => ({ input: { id: own.people.MEMBER.id, name: `Renamed ${own.marker}` } }),
        self: ({ name }) => name === "MEMBER",
      },
      {
        field: "Mutation.updateUser",
        named: "the e-mail address",
        query: input("UpdateUserInput", "updateUser", "id"),
        variables: ({ userId }) => ({
          input: { id: userId ?? own.people.VIEWER.id, email: `moved.${randomUUID()}@example.com` },
        }),
        // A key has none of its own; whose is another's is the rule itself.
        by: ({ kind }) => kind !== "key",
        after: async () => {
          for (const { id, email } of [...Object.values(own.people), ...Object.values(other.people), loner])
            await home("update tenantry.users set email = $2 where id = $1", [id, email]);
        },
      },
      {
        field: "Mutation.eraseUser",
        query: "mutation ($id: ID!) { eraseUser(id: $id) { complete } }",
        variables: () => ({ id: nobody }),
      },
      {
        field: "Mutation.linkIdentity",
        query: input("LinkIdentityInput", "linkIdentity", "id"),
        variables: () => ({
          input: { userId: own.people.SECOND_OWNER.id, issuer: app.provider.issuer, subject: "second" },
        }),
      },
      {
        field: "Mutation.createOrganization",
        query: input("CreateOrganizationInput", "createOrganization", "id"),
        variables: () => ({ input: { name: "Made by the matrix" } }),
        after: () => home("delete from tenantry.organizations where name = $1", ["Made by the matrix"]),
      },
      {
        field: "Mutation.addOrganizationMember",
        query: input("AddOrganizationMemberInput", "addOrganizationMember", "role"),
        // Somebody whom all who may do it share an organization with: the others have to be invited (leaving.test.ts).
        variables: async () => ({
          input: { organizationId: own.id, userId: await newMember("VIEWER"), role: "ADMIN" },
        }),
      },
      {
        field: "Mutation.addOrganizationMember",
        named: "an OWNER, before or after",
        query: input("AddOrganizationMemberInput", "addOrganizationMember", "role"),
        variables: async () => ({
          input: { organizationId: own.id, userId: await newMember("VIEWER"), role: "OWNER" },
        }),
      },
      {
        field: "Mutation.addOrganizationMember",
        named: "an OWNER, before or after",
        query: input("AddOrganizationMemberInput", "addOrganizationMember", "role"),
        variables: async () => ({
          input: { organizationId: own.id, userId: await newMember("OWNER"), role: "VIEWER" },
        }),
      },
      {
        field: "Mutation.removeOrganizationMember",
        query: input("RemoveOrganizationMemberInput", "removeOrganizationMember", "id"),
        variables: async () => ({ input: { organizationId: own.id, userId: await newMember("ADMIN") } }),
      },
      {
        field: "Mutation.removeOrganizationMember",
        named: "an OWNER",
        query: input("RemoveOrganizationMemberInput", "removeOrganizationMember", "id"),
        variables: async () => ({ input: { organizationId: own.id, userId: await newMember("OWNER") } }),
      },
      {
        field: "Mutation.removeOrganizationMember",
        named: "oneself",
        query: input("RemoveOrganizationMemberInput", "removeOrganizationMember", "id"),
        variables: ({ userId }) => ({ input: { organizationId: own.id, userId } }),
        by: isUser,
        after: restore,
      },
      {
        field: "Mutation.leaveOrganization",
        query: "mutation ($id: ID!) { leaveOrganization(organizationId: $id) { id } }",
        variables: () => ({ id: own.id }),
        after: restore,
      },
      {
        field: "Mutation.renameOrganization",
        query: input("RenameOrganizationInput", "renameOrganization", "id"),
        variables: () => ({ input: { organizationId: own.id, name: own.name } }),
      },
      {
        field: "Mutation.transferOwnership",
        query: input("TransferOwnershipInput", "transferOwnership", "role"),
        variables: () => ({ input: { organizationId: own.id, userId: own.people.MEMBER.id } }),
        after: restore,
      },
      {
        // One that each caller has the same role in.
        field: "Mutation.deleteOrganization",
        query: deletion("DeleteOrganizationInput", "deleteOrganization"),
        variables: async ({ role, userId }) => {
          const [made] = await home(
            "insert into tenantry.organizations (id, name) values (gen_random_uuid(), 'Ending') returning id",
            [],
          );
          const id = String(made?.["id"]);
          if (role !== null && userId !== undefined) await addMember(app.setup, id, userId, role);
          return { input: { organizationId: id, confirm: "Ending" } };
        },
        after: () => home("delete from tenantry.organizations where name = 'Ending'", []),
      },
      {
        field: "Mutation.inviteMember",
        query: input("InviteMemberInput", "inviteMember", "id"),
        variables: () => ({
          input: { organizationId: own.id, email: `to.${randomUUID()}@example.com`, role: "ADMIN" },
        }),
      },
      {
        field: "Mutation.inviteMember",
        named: "as OWNER",
        query: input("InviteMemberInput", "inviteMember", "id"),
        variables: () => ({
          input: { organizationId: own.id, email: `to.${randomUUID()}@example.com`, role: "OWNER" },
        }),
      },
      {
        field: "Mutation.revokeInvitation",
        query: "mutation ($id: ID!) { revokeInvitation(id: $id) { id } }",
        variables: async () => ({ id: (await invite(app.setup, own.id, `of.${randomUUID()}@example.com`)).id }),
      },
      {
        field: "Mutation.revokeInvitation",
        named: "of an OWNER",
        query: "mutation ($id: ID!) { revokeInvitation(id: $id) { id } }",
        variables: async () => ({
          id: (await invite(app.setup, own.id, `of.${randomUUID()}@example.com`, "OWNER")).id,
        }),
      },
      {
        field: "Mutation.acceptInvitation",
        query: "mutation ($token: String!) { acceptInvitation(token: $token) { role } }",
        variables: async ({ userId }) => {
          const [organization] = await home(
            "insert into tenantry.organizations (id, name) values (gen_random_uuid(), 'Inviting') returning id",
            [],
          );
          const [user] = await home("select email from tenantry.users where id = $1", [userId ?? nobody]);
          return { token: (await invite(app.setup, String(organization?.["id"]), String(user?.["email"]))).token };
        },
        after: () => home("delete from tenantry.organizations where name = 'Inviting'", []),
      },
    ];
    const SYSTEM: Call[] = [
      {
        field: "Mutation.createApiKey",
        query: input("CreateApiKeyInput", "createApiKey", "key { id }"),
        variables: () => key(own.id, "VIEWER"),
      },
      {
        field: "Mutation.createApiKey",
        named: "of operators",
        query: input("CreateApiKeyInput", "createApiKey", "key { id }"),
        variables: () => key(undefined, undefined),
      },
      {
        field: "Mutation.revokeApiKey",
        query: "mutation ($id: ID!) { revokeApiKey(id: $id) { id } }",
        variables: async () => ({
          id: (await createApiKey(app.setup, { organizationId: own.id, role: "VIEWER" })).key.id,
        }),
      },
      {
        field: "Mutation.registerRegion",
        query: input("RegisterRegionInput", "registerRegion", "key"),
        variables: () => ({ input: { key: "spare", name: "Spare", connectionUrl: serverUrl("home") } }),
      },
      {
        field: "Mutation.updateRegion",
        query: input("UpdateRegionInput", "updateRegion", "key"),
        variables: () => ({ input: { key: own.regionKey, name: "Renamed" } }),
      },
      {
        // What registerRegion has left.
        field: "Mutation.retireRegion",
        query: input("RetireRegionInput", "retireRegion", "key"),
        variables: () => ({ input: { key: "spare" } }),
      },
      {
        field: "Mutation.retryJobs",
        query: "mutation ($ids: [ID!]!) { retryJobs(ids: $ids) { refusal } }",
        variables: () => ({ ids: own.jobs }),
        holds: () => "not failing",
      },
      {
        field: "Mutation.grantRegionAccess",
        query: input("GrantRegionAccessInput", "grantRegionAccess", "id"),
        variables: () => ({ input: { organizationId: own.id, regionKey: own.regionKey, isolation } }),
        holds: () => own.placement,
      },
      {
        field: "Mutation.revokeRegionAccess",
        query: input("RevokeRegionAccessInput", "revokeRegionAccess", "state"),
        variables: () => ({ input: { placementId: own.placement, confirm: own.name } }),
        holds: () => "SUSPENDED",
        after: resume,
      },
      {
        field: "Mutation.resumeRegionAccess",
        query: "mutation ($id: ID!) { resumeRegionAccess(placementId: $id) { state } }",
        variables: () => ({ id: own.placement }),
        holds: () => "ACTIVE",
      },
      {
        field: "Mutation.movePlacement",
        query: input("MovePlacementInput", "movePlacement", "state"),
        variables: () => ({ input: { placementId: own.placement, dryRun: true } }),
        holds: () => "ACTIVE",
      },
      {
        field: "Mutation.cancelMove",
        query: "mutation ($id: ID!) { cancelMove(placementId: $id) { state } }",
        variables: async () => {
          await home(CALLED_OFF, [own.placement]);
          return { id: own.placement };
        },
        holds: () => "ACTIVE",
        after: () => home("delete from tenantry.moves where placement_id = $1", [own.placement]),
      },
      {
        field: "Mutation.retryPlacement",
        query: "mutation ($id: ID!) { retryPlacement(placementId: $id) { state } }",
        variables: () => ({ id: own.placement }),
        holds: () => "ACTIVE",
      },
    ];
    const inRegion = (text: string, values: unknown[]) =>
      sql(`${serverUrl(own.regionKey as "eu" | "us")}/${own.database}`, text, values);
    const DEFAULT_ORGANIZATION = "in the default organization";
    /** Of each kind of content: changing and deleting it, one's own and another's, in a region and at home. */
    const changes = (): Call[] => [
      ...changesOf("Comment", "by its author", { body: "Changed" }, async (place, userId) => {
        const author = own.people.SECOND_OWNER.id;
        const id = await comment(app.setup, place === "home" ? atHome : own.resource, author, "Made");
        const write = place === "home" ? home : inRegion;
        if (userId !== undefined) await write("update app.comments set author_id = $2 where id = $1", [id, userId]);
        return id;
      }),
      ...changesOf("Resource", "by the user who made it", { name: "Changed" }, async (place, userId) => {
        const at = place === "home" ? {} : { organizationId: own.id, regionKey: own.regionKey };
        const id = await createResource(app.setup, { name: "Made", ...at });
        const write = place === "home" ? home : inRegion;
        if (userId !== undefined) await write("update app.resources set created_by = $2 where id = $1", [id, userId]);
        return id;
      }),
    ];
    const changesOf = (
      type: "Comment" | "Resource",
      byMaker: string,
      change: object,
      make: (place: "home" | "region", userId?: string) => Promise<string>,
    ): Call[] =>
      [
        { field: `update${type}`, query: input(`Update${type}Input`, `update${type}`, "id"), change },
        { field: `delete${type}`, query: deletion(`Delete${type}Input`, `delete${type}`), change: {} },
      ].flatMap(({ field, query, change: changed }) => {
        const call = (place: "home" | "region", named: string | undefined, isOwn: boolean): Call => ({
          field: `Mutation.${field}`,
          ...(named !== undefined && { named }),
          query,
          by: isOwn ? isUser : () => true,
          variables: async ({ userId }) => ({
            input: { [`${type.toLowerCase()}Id`]: await make(place, isOwn ? userId : undefined), ...changed },
          }),
        });
        const made = [call("region", undefined, false), call("home", DEFAULT_ORGANIZATION, false)];
        made.push(call("home", `${DEFAULT_ORGANIZATION}, ${byMaker}`, true));
        // Any member may rename a resource.
        if (POLICY["Mutation"]?.[field]?.cases[byMaker] !== undefined) made.push(call("region", byMaker, true));
        return made;
      });
    const author = (caller: Caller) => (isUser(caller) ? {} : { authorId: own.people.MEMBER.id });
    const CONTENT: Call[] = [
      {
        field: "Mutation.createResource",
        query: input("CreateResourceInput", "createResource", "id"),
        variables: () => ({ input: { name: `Made ${own.marker}`, organizationId: own.id } }),
      },
      {
        field: "Mutation.createResource",
        named: "in the default organization",
        query: input("CreateResourceInput", "createResource", "id"),
        variables: () => ({ input: { name: "Made at home" } }),
      },
      {
        field: "Mutation.createComment",
        query: input("CreateCommentInput", "createComment", "id"),
        variables: (caller) => ({ input: { resourceId: own.resource, body: `A ${own.marker}`, ...author(caller) } }),
      },
      {
        field: "Mutation.createComment",
        named: "in the default organization",
        query: input("CreateCommentInput", "createComment", "id"),
        variables: (caller) => ({ input: { resourceId: atHome, body: "A", ...author(caller) } }),
      },
      {
        field: "Mutation.createComment",
        named: "in another's name",
        query: input("CreateCommentInput", "createComment", "id"),
        variables: (caller) => ({ input: { resourceId: own.resource, body: "A", authorId: memberId(caller) } }),
      },
      ...changes(),
      {
        field: "Subscription.commentAdded",
        query: "subscription ($id: ID!) { commentAdded(resourceId: $id) { body } }",
        variables: () => ({ id: own.resource }),
        holds: () => "Heard",
        happen: () => comment(app.setup, own.resource, own.people.MEMBER.id, "Heard"),
      },
      {
        field: "Subscription.commentAdded",
        named: DEFAULT,
        query: "subscription ($id: ID!) { commentAdded(resourceId: $id) { body } }",
        variables: () => ({ id: atHome }),
        holds: () => "Heard",
        happen: () => comment(app.setup, atHome, speaker.id, "Heard by everybody"),
      },
      {
        field: "Subscription.jobChanged",
        query: "subscription ($id: ID!) { jobChanged(organizationId: $id) { id } }",
        variables: () => ({ id: own.id }),
        holds: () => own.jobs[0] ?? "none",
        happen: () => home("update tenantry.jobs set attempts = attempts where id = $1", [own.jobs[0]]),
      },
      {
        field: "Subscription.jobChanged",
        named: "of everything",
        query: "subscription { jobChanged { id } }",
        holds: () => own.jobs[0] ?? "none",
        happen: () => home("update tenantry.jobs set attempts = attempts where id = $1", [own.jobs[0]]),
      },
      {
        field: "Subscription.placementChanged",
        query: "subscription ($id: ID!) { placementChanged(id: $id) { database } }",
        variables: () => ({ id: own.placement }),
        holds: () => own.database,
      },
      {
        field: "Subscription.resourceChanged",
        query:
          "subscription ($id: ID!, $after: String!) { resourceChanged(organizationId: $id, after: $after) { resource { id } } }",
        variables: () => ({ id: own.id, after: cursor }),
        holds: () => own.resource,
      },
      {
        field: "Subscription.resourceChanged",
        named: DEFAULT,
        query: "subscription ($after: String!) { resourceChanged(after: $after) { kind } }",
        variables: () => ({ after: cursor }),
        holds: () => "CREATED",
      },
      {
        field: "Subscription.membershipChanged",
        query:
          "subscription ($id: ID!, $after: String!) { membershipChanged(organizationId: $id, after: $after) { membershipId } }",
        variables: () => ({ id: own.id, after: cursor }),
        holds: () => own.id,
      },
    ];
    return [...QUERIES, ...PEOPLE, ...SYSTEM, ...CONTENT];
  }
});

/** A move that was called off already, so that nobody carries anything. */
const CALLED_OFF = `with target as (
    insert into tenantry.tenant_databases (region_id, isolation, name)
    select region_id, 'DEDICATED', 'move_target_' || gen_random_uuid() from tenantry.placements where id = $1 returning id
  )
  insert into tenantry.moves (placement_id, from_database_id, to_database_id, other_database_id, cancelled_at)
  select p.id, p.database_id, t.id, t.id, now() from tenantry.placements p, target t where p.id = $1`;

type Reading = { name: string; type: string; names: string[]; query: string; document: DocumentNode };

/**
 * A document for each type with all fields that are visible with their object, and one for each field with a rule of its
 * own, as an error of one would take the others along.
 */
function readings(): Reading[] {
  const roots = new Set(["Query", "Mutation", "Subscription"]);
  const types = Map.groupBy(
    fieldsOf(schema).filter(({ type }) => !roots.has(type)),
    ({ type }) => type,
  );
  return [...types].flatMap(([type, fields]) => {
    const isOwn = (field: string) => POLICY[type]?.[field]?.rule.kind !== "parent";
    const select = fields.map(({ field }) => ({
      name: field.name,
      text: `${aliasOf(field.name)}: ${field.name}${isObjectType(getNamedType(field.type)) ? " { __typename }" : ""}`,
    }));
    const together = select.filter(({ name }) => !isOwn(name));
    const alone = select.filter(({ name }) => isOwn(name)).map((one) => [one]);
    return [together, ...alone]
      .filter((group) => group.length > 0)
      .map((group) => {
        const query = (WAYS[type] ?? `{ noWayTo${type} { % } }`).replace("%", group.map(({ text }) => text).join(" "));
        const names = group.map(({ name }) => name);
        return { name: `${type}: ${names.join(", ")}`, type, names, query, document: parse(query) };
      });
  });
}

/** So that a field is told from one of the same name on the way. A new key is shown by its own name only (run-record.ts). */
function aliasOf(field: string): string {
  return field === "secret" ? field : `x_${field}`;
}

/** Whether some object in the data has this key. */
function hasKey(data: unknown, key: string): boolean {
  if (typeof data !== "object" || data === null) return false;
  return Object.hasOwn(data, key) || Object.values(data).some((value) => hasKey(value, key));
}
