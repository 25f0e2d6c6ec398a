/** Subscriptions that go on from a cursor: over a socket that is cut nothing is lost, and nothing comes twice. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { serverUrl, startApp, type TestApp } from "../support/app.ts";
import { eventCursor, follow, type Follower } from "../support/events.ts";
import {
  addMember,
  comment,
  createOrganization,
  createResource,
  createUser,
  grant,
  registerRegion,
} from "../support/journey.ts";

let app: TestApp;
/** Another process of the same installation, which serves only. */
let other: TestApp;
let organization: string;
let ada: string;

const open: Follower[] = [];
/** Follows until the test ends. */
const followed = (...args: Parameters<typeof follow>) => {
  const follower = follow(...args);
  open.push(follower);
  return follower;
};

beforeAll(async () => {
  app = await startApp();
  await registerRegion(app, "eu", serverUrl("eu"));
  await registerRegion(app, "us", serverUrl("us"));
  organization = await createOrganization(app, "Acme");
  ada = await createUser(app, "Ada");
  await addMember(app, organization, ada);
  await grant(app, organization, "eu");
  await grant(app, organization, "us", "SHARED");
  other = await startApp({ databaseUrl: app.databaseUrl, secretKey: app.secretKey, role: "api" });
});
afterEach(async () => {
  for (const one of open.splice(0)) await one.cut();
});
afterAll(async () => {
  await other?.stop();
  await app?.stop();
});

const COMMENTS = "subscription ($id: ID!, $after: String) { commentAdded(resourceId: $id, after: $after) { id body } }";
const RESOURCES = `subscription ($id: ID, $after: String) { resourceChanged(organizationId: $id, after: $after) {
  cursor kind resourceId resource { id name region { key } } } }`;
const MEMBERS = `subscription ($id: ID!, $after: String) { membershipChanged(organizationId: $id, after: $after) {
  cursor kind membershipId membership { id role user { id } } } }`;
const UPDATE = "mutation ($input: UpdateResourceInput!) { updateResource(input: $input) { id } }";
const DELETE = "mutation ($input: DeleteResourceInput!) { deleteResource(input: $input) }";
const REMOVE = "mutation ($input: RemoveOrganizationMemberInput!) { removeOrganizationMember(input: $input) { id } }";

type Subject = {
  query: string;
  id: () => Promise<string | null>;
  /** Makes something happen, and says what is heard of it. */
  happen: (id: string | null) => Promise<string>;
  heard: (data: any) => string;
};

const commentsIn = (regionKey: string | undefined): Subject => ({
  query: COMMENTS,
  id: () =>
    createResource(
      app,
      regionKey === undefined ? { name: "Here" } : { name: "There", organizationId: organization, regionKey },
    ),
  happen: (id) => comment(app, id ?? "", ada, "Said"),
  heard: ({ commentAdded }) => commentAdded.id,
});
const resourcesOf = (owned: boolean): Subject => ({
  query: RESOURCES,
  id: () => Promise.resolve(owned ? organization : null),
  happen: (id) =>
    createResource(
      app,
      id === null ? { name: "At home" } : { name: "In a region", organizationId: id, regionKey: "us" },
    ),
  heard: ({ resourceChanged }) => resourceChanged.resourceId,
});

const SUBJECTS: Record<string, Subject> = {
  "comments in a database of one organization": commentsIn("eu"),
  "comments in a shared database": commentsIn("us"),
  "comments at home": commentsIn(undefined),
  "an organization's resources": resourcesOf(true),
  "the default organization's resources": resourcesOf(false),
  "an organization's members": {
    query: MEMBERS,
    id: () => Promise.resolve(organization),
    happen: async (id) => {
      const user = await createUser(app, "New");
      await addMember(app, id ?? "", user);
      return `${id}:${user}`;
    },
    heard: ({ membershipChanged }) => membershipChanged.membershipId,
  },
};

describe.each(Object.entries(SUBJECTS))("%s", (_, { query, id: makeId, happen, heard }) => {
  test("come once each, in order, over a socket that is cut, from another process", async () => {
    const id = await makeId();
    const before = follow(other, query, { id, after: await eventCursor(app) });
    const first = await happen(id);
    const idsOf = ({ messages }: Follower) => messages.map(({ data }) => heard(data));
    await expect.poll(() => idsOf(before)).toContain(first);
    await before.cut();
    const missed: string[] = [];
    for (let count = 0; count < 3; count += 1) missed.push(await happen(id));
    const again = followed(other, query, { id, after: before.cursor() });
    await expect.poll(() => idsOf(again)).toEqual(missed);
    const later = await happen(id);
    await expect.poll(() => idsOf(again)).toEqual([...missed, later]);
    // From the middle of what came together.
    const middle = followed(app, query, { id, after: again.messages[1]?.extensions?.cursor });
    await expect.poll(() => idsOf(middle)).toEqual([missed[2], later]);
  });
});

test("a change and a deletion are events too, and say what is gone", async () => {
  const id = await createResource(app, { name: "Old", organizationId: organization, regionKey: "eu" });
  const follower = followed(other, RESOURCES, { id: organization, after: await eventCursor(app) });
  const ofIt = () =>
    follower.messages.map(({ data }) => data.resourceChanged).filter(({ resourceId }) => resourceId === id);
  await expect.poll(() => ofIt().length).toBe(1);
  await app.ask(UPDATE, { input: { resourceId: id, name: "New" } });
  await expect
    .poll(() => ofIt().at(-1))
    .toMatchObject({ kind: "UPDATED", resource: { id, name: "New", region: { key: "eu" } } });
  await app.ask(DELETE, { input: { resourceId: id } });
  await expect.poll(() => ofIt().at(-1)).toMatchObject({ kind: "DELETED", resourceId: id, resource: null });
  expect(ofIt().map(({ kind }) => kind)).toEqual(["CREATED", "UPDATED", "DELETED"]);
  for (const { data, extensions } of follower.messages) expect(extensions?.cursor).toBe(data.resourceChanged.cursor);
});

test("a member who gets another role or goes is an event", async () => {
  const eve = await createUser(app, "Eve");
  const follower = followed(app, MEMBERS, { id: organization, after: await eventCursor(app) });
  await addMember(app, organization, eve);
  await addMember(app, organization, eve);
  await addMember(app, organization, eve, "ADMIN");
  await app.ask(REMOVE, { input: { organizationId: organization, userId: eve } });
  const ofHer = () =>
    follower.messages
      .map(({ data }) => data.membershipChanged)
      .filter(({ membershipId }) => membershipId === `${organization}:${eve}`);
  await expect.poll(() => ofHer().map(({ kind }) => kind)).toEqual(["CREATED", "UPDATED", "DELETED"]);
  expect(ofHer().at(-1)).toMatchObject({ membership: null });
});
