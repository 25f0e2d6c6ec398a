/** An organization with one of everything, and everybody who may come near it; each signed in as in production. */
import { createHash, randomBytes, randomUUID } from "node:crypto";
import type { Application } from "../../src/api/graphql/define-app.ts";
import type { CallerKind } from "../../src/engine/auth/policy-table.ts";
import type { Role } from "../../src/engine/auth/roles.ts";
import { sql, startApp, type TestApp } from "./app.ts";
import { AUDIENCE, type IdentityProvider, startIdentityProvider } from "./identity-provider.ts";
import { addMember, comment, createOrganization, createResource, registerRegion } from "./journey.ts";
import { startMailSink } from "./mail-sink.ts";
import { createApiKey } from "./signed-in.ts";

export type Person = { id: string; email: string; token: string };
/** An organization with a placement and one of everything that the engine has. */
export type OrganizationFixture = {
  /** Stands in each of the organization's texts. */
  marker: string;
  name: string;
  id: string;
  people: Record<"OWNER" | "SECOND_OWNER" | Exclude<Role, "OWNER">, Person>;
  keys: Record<Role, { id: string; token: string }>;
  regionKey: string;
  placement: string;
  database: string;
  invitation: string;
  invitationToken: string;
  jobs: string[];
};
/** The same with rows of the app that ships. */
export type Content = OrganizationFixture & { resource: string; comment: string };
export type FixtureOptions = { marker: string; regionKey: string; regionUrl: string; isolation: string };

/** Two programs on one home: in development the operator prepares with the first, callers sign in at the second. */
export type SignedInApp = {
  setup: TestApp;
  api: TestApp;
  provider: IdentityProvider;
  operatorToken: string;
  readOnlyToken: string;
  /** A user whom a token signs in. */
  person: (name: string) => Promise<Person>;
  stop: () => Promise<void>;
};

/** `application`: what is served; the app that ships where it is left out. */
export async function startSignedInApp(application?: Application): Promise<SignedInApp> {
  const provider = await startIdentityProvider({});
  const served = application === undefined ? {} : { application };
  const setup = await startApp(served);
  const { databaseUrl, secretKey } = setup;
  const oidc = { issuer: provider.issuer, audience: AUDIENCE };
  const sink = await startMailSink();
  const mail = { smtpUrl: sink.url, from: "tenantry@example.com" };
  const api = await startApp({
    ...served,
    databaseUrl,
    secretKey,
    role: "api",
    signIn: { mode: "bearer", oidc },
    mail,
    // Thousands of questions in seconds are the point of who uses this.
    api: { limits: { actorPointsPerSecond: 0, organizationPointsPerSecond: 0 } },
  });
  return {
    setup,
    api,
    provider,
    operatorToken: (await createApiKey(setup)).secret,
    readOnlyToken: (await createApiKey(setup, { readOnly: true })).secret,
    person: async (name) => {
      const email = `${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, ".")}.${randomUUID().slice(0, 8)}@example.com`;
      const input = { name, email };
      const { createUser } = await setup.ask(
        "mutation ($input: CreateUserInput!) { createUser(input: $input) { id } }",
        { input },
      );
      const id = createUser.id as string;
      await setup.ask("mutation ($input: LinkIdentityInput!) { linkIdentity(input: $input) { id } }", {
        input: { userId: id, issuer: provider.issuer, subject: id },
      });
      return { id, email, token: await provider.sign({ sub: id }) };
    },
    stop: async () => {
      await api.stop();
      await sink.close();
      await setup.stop();
      await provider.close();
    },
  };
}

/** Makes an organization with one of everything, in a region that is registered when it is not yet. */
export async function makeContent(app: SignedInApp, options: FixtureOptions): Promise<Content> {
  const { setup } = app;
  const fixture = await makeOrganization(app, options);
  const { marker, people, regionKey } = fixture;
  const input = { name: `Resource ${marker}`, organizationId: fixture.id, regionKey };
  const resource = await createResource(setup, input, people.MEMBER.id);
  return { ...fixture, resource, comment: await comment(setup, resource, people.MEMBER.id, `Comment ${marker}`) };
}

/** The same without rows of an app. */
export async function makeOrganization(app: SignedInApp, options: FixtureOptions): Promise<OrganizationFixture> {
  const { setup } = app;
  const { marker, regionKey } = options;
  const name = `Organization ${marker}`;
  const id = await createOrganization(setup, name);
  const people = {} as OrganizationFixture["people"];
  for (const role of ["OWNER", "SECOND_OWNER", "ADMIN", "MEMBER", "VIEWER"] as const) {
    people[role] = await app.person(`${marker} ${role}`);
    await addMember(setup, id, people[role].id, role === "SECOND_OWNER" ? "OWNER" : role);
  }
  const { regions } = await setup.ask("{ regions { key } }");
  if (!regions.some(({ key }: { key: string }) => key === regionKey))
    await registerRegion(setup, regionKey, options.regionUrl);
  const { grantRegionAccess: placement } = await setup.ask(
    "mutation ($input: GrantRegionAccessInput!) { grantRegionAccess(input: $input) { id state database failure } }",
    { input: { organizationId: id, regionKey, isolation: options.isolation } },
  );
  if (placement.state !== "ACTIVE") throw new Error(`not granted: ${JSON.stringify(placement)}`);
  const keys = {} as OrganizationFixture["keys"];
  for (const role of ["OWNER", "ADMIN", "MEMBER", "VIEWER"] as const) {
    const { key, secret } = await createApiKey(setup, { name: `Key ${marker}`, organizationId: id, role });
    keys[role] = { id: key.id, token: secret };
  }
  const { jobs } = await setup.ask("query ($id: ID) { jobs(placementId: $id) { edges { node { id } } } }", {
    id: placement.id,
  });
  const invitation = await invite(setup, id, `guest.${marker}@example.com`);
  return {
    marker,
    name,
    id,
    people,
    keys,
    regionKey,
    placement: placement.id,
    database: placement.database,
    invitation: invitation.id,
    invitationToken: invitation.token,
    jobs: jobs.edges.map(({ node }: { node: { id: string } }) => node.id),
  };
}

/** An open invitation with a token that the test knows. */
export async function invite(
  app: TestApp,
  organizationId: string,
  email: string,
  role: Role = "MEMBER",
): Promise<{ id: string; token: string }> {
  const [id, token] = [randomUUID(), randomBytes(32).toString("base64url")];
  await sql(
    app.databaseUrl,
    `insert into tenantry.invitations (id, organization_id, email, role, token_hash, invited_by, expires_at)
     values ($1, $2, $3, $4, $5, 'operator', now() + interval '1 day')`,
    [id, organizationId, email, role, createHash("sha256").update(token).digest()],
  );
  return { id, token };
}

/** Somebody who calls; `role` is what they are in the organization that it is about. */
export type Caller = {
  name: string;
  kind: CallerKind | "anonymous";
  /** An operator who may change nothing. */
  readOnly?: true;
  role: Role | null;
  token: string | undefined;
  userId: string | undefined;
};

/** Everybody: the operator, the one that reads only, each role as a person and as a key, others with an organization, without one, and nobody. */
export function callersOf(app: SignedInApp, own: Content, other: Content, loner: Person): Caller[] {
  const roles = ["OWNER", "ADMIN", "MEMBER", "VIEWER"] as const;
  const person = (name: string, { id, token }: Person, role: Role | null): Caller => ({
    name,
    kind: "user",
    role,
    token,
    userId: id,
  });
  const key = (name: string, token: string, role: Role | null): Caller => ({
    name,
    kind: "key",
    role,
    token,
    userId: undefined,
  });
  return [
    { name: "operator", kind: "operator", role: null, token: app.operatorToken, userId: undefined },
    {
      name: "read-only operator",
      kind: "operator",
      readOnly: true,
      role: null,
      token: app.readOnlyToken,
      userId: undefined,
    },
    ...roles.map((role) => person(role, own.people[role], role)),
    ...roles.map((role) => key(`key ${role}`, own.keys[role].token, role)),
    person("another's OWNER", other.people.OWNER, null),
    key("another's key OWNER", other.keys.OWNER.token, null),
    person("without organization", loner, null),
    { name: "anonymous", kind: "anonymous", role: null, token: undefined, userId: undefined },
  ];
}
