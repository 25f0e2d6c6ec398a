/** Resources and comments after they were made: who changes and deletes them, what home hears of it, and what stays. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { entriesOf } from "../support/audit.ts";
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
let owner: string;
let admin: string;
let author: string;
let member: string;
let stranger: string;

beforeAll(async () => {
  app = await startApp();
  await registerRegion(app, "eu", serverUrl("eu"));
  [owner, admin, author, member, stranger] = (await Promise.all(
    ["Owner", "Admin", "Author", "Member", "Stranger"].map((name) => createUser(app, name)),
  )) as [string, string, string, string, string];
});
afterAll(() => app.stop());

const UPDATE_COMMENT =
  "mutation ($input: UpdateCommentInput!) { updateComment(input: $input) { id body createdAt updatedAt author { name } } }";
const DELETE_COMMENT = "mutation ($input: DeleteCommentInput!) { deleteComment(input: $input) }";
const UPDATE_RESOURCE =
  "mutation ($input: UpdateResourceInput!) { updateResource(input: $input) { id name createdAt updatedAt region { key } } }";
const DELETE_RESOURCE = "mutation ($input: DeleteResourceInput!) { deleteResource(input: $input) }";
const READ =
  "query ($id: ID!) { resource(id: $id) { name createdAt updatedAt comments { edges { node { id body updatedAt } } } } }";
const LIST = "query ($id: ID!) { resources(organizationId: $id) { edges { node { id name createdAt updatedAt } } } }";

describe.each(["DEDICATED", "SHARED"] as const)("in a placement of isolation %s", (isolation) => {
  let organization: string;
  let database: string;
  let resource: string;
  let note: string;

  beforeAll(async () => {
    organization = await createOrganization(app, `Life ${isolation}`, owner);
    for (const [id, role] of [
      [admin, "ADMIN"],
      [author, "MEMBER"],
      [member, "MEMBER"],
    ] as const)
      await addMember(app, organization, id, role);
    ({ database } = await grant(app, organization, "eu", isolation));
  });
  beforeEach(async () => {
    await addMember(app, organization, author, "MEMBER");
    resource = await createResource(app, { name: "Plan", organizationId: organization }, author);
    note = await comment(app, resource, author, "First");
  });
  const listed = async () =>
    (await app.ask(LIST, { id: organization })).resources.edges.map(({ node }: { node: object }) => node);
  const region = (text: string, values: unknown[]) => sql(`${serverUrl("eu")}/${database}`, text, values);

  test("what was never changed was last changed when it was made", async () => {
    const { resource: read } = await app.ask(READ, { id: resource });
    expect(read.updatedAt).toBe(read.createdAt);
  });

  test("a resource is renamed, and the catalog says so at once", async () => {
    const { updateResource } = await app.ask(UPDATE_RESOURCE, { input: { resourceId: resource, name: "Map" } }, member);
    expect(updateResource).toMatchObject({ id: resource, name: "Map", region: { key: "eu" } });
    expect(Date.parse(updateResource.updatedAt)).toBeGreaterThan(Date.parse(updateResource.createdAt));
    const { id, name, createdAt, updatedAt } = updateResource;
    expect(await listed()).toContainEqual({ id, name, createdAt, updatedAt });
    expect(await entriesOf(app, organization)).toContainEqual(
      expect.objectContaining({ action: "updateResource", outcome: "OK", whoId: member, subjectId: resource }),
    );
  });

  test("a change of nothing, or to what cannot be, changes nothing", async () => {
    const input = { resourceId: resource };
    expect(await app.refuse(UPDATE_RESOURCE, { input }, member)).toMatchObject({ code: "INVALID_INPUT" });
    for (const name of ["", "x".repeat(201), "a\u202eb"])
      expect(await app.refuse(UPDATE_RESOURCE, { input: { ...input, name } }, member)).toMatchObject({
        code: "INVALID_INPUT",
        field: "name",
      });
    const { resource: read } = await app.ask(READ, { id: resource });
    expect(read).toMatchObject({ name: "Plan", updatedAt: read.createdAt });
  });

  test("a deleted resource leaves the region with its comments, and the catalog", async () => {
    await comment(app, resource, member, "Another's");
    expect(await app.refuse(DELETE_RESOURCE, { input: { resourceId: resource } }, member)).toMatchObject({
      code: "FORBIDDEN",
    });
    expect(await app.ask(DELETE_RESOURCE, { input: { resourceId: resource } }, author)).toEqual({
      deleteResource: resource,
    });
    expect(await region("select id from app.comments where resource_id = $1", [resource])).toEqual([]);
    expect((await listed()).map(({ id }: { id: string }) => id)).not.toContain(resource);
    expect(await app.refuse(READ, { id: resource }, owner)).toMatchObject({ code: "NOT_FOUND" });
    expect(await app.refuse(DELETE_RESOURCE, { input: { resourceId: resource } }, author)).toMatchObject({
      code: "NOT_FOUND",
    });
    const entries = (await entriesOf(app, organization)).filter(
      ({ action, subjectId }) => action === "deleteResource" && subjectId === resource,
    );
    expect(entries.map(({ outcome, whoId }) => [outcome, whoId])).toEqual([
      ["NOT_FOUND", author],
      ["OK", author],
      ["FORBIDDEN", member],
    ]);
  });

  test("a comment is edited by its author and by ADMINs, and by nobody else", async () => {
    const edit = (body: string) => ({ input: { commentId: note, body } });
    const { updateComment } = await app.ask(UPDATE_COMMENT, edit("Second"), author);
    expect(updateComment).toMatchObject({ id: note, body: "Second", author: { name: "Author" } });
    expect(Date.parse(updateComment.updatedAt)).toBeGreaterThan(Date.parse(updateComment.createdAt));
    await app.ask(UPDATE_COMMENT, edit("Third"), admin);
    expect(await app.refuse(UPDATE_COMMENT, edit("No"), member)).toMatchObject({ code: "FORBIDDEN" });
    expect(await app.refuse(UPDATE_COMMENT, edit("No"), stranger)).toMatchObject({ code: "NOT_FOUND" });
    await addMember(app, organization, author, "VIEWER");
    expect(await app.refuse(UPDATE_COMMENT, edit("No"), author)).toMatchObject({ code: "FORBIDDEN" });
    expect(await region("select body from app.comments where id = $1", [note])).toEqual([{ body: "Third" }]);
  });

  test("a comment is deleted once, and the log says it once", async () => {
    const input = { commentId: note };
    expect(await app.refuse(DELETE_COMMENT, { input }, member)).toMatchObject({ code: "FORBIDDEN" });
    const both = await Promise.allSettled([
      app.ask(DELETE_COMMENT, { input }, author),
      app.ask(DELETE_COMMENT, { input }, admin),
    ]);
    expect(both.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    const entries = (await entriesOf(app, organization)).filter(({ subjectId }) => subjectId === note);
    expect(entries.filter(({ action, outcome }) => action === "deleteComment" && outcome === "OK")).toHaveLength(1);
  });

  test("a comment that is written while its resource goes is refused or goes along", async () => {
    const written = Array.from({ length: 6 }, () => comment(app, resource, member, "Late"));
    const [gone, ...rest] = await Promise.allSettled([
      app.ask(DELETE_RESOURCE, { input: { resourceId: resource } }, owner),
      ...written,
    ]);
    expect(gone?.status).toBe("fulfilled");
    for (const one of rest.filter(({ status }) => status === "rejected"))
      expect(String((one as PromiseRejectedResult).reason)).toContain("NOT_FOUND");
    expect(await region("select id from app.comments where resource_id = $1", [resource])).toEqual([]);
  });

  test("what an erased user wrote stays", async () => {
    const leaver = await createUser(app, "Leaver");
    await addMember(app, organization, leaver);
    const theirs = await comment(app, resource, leaver, "Stays");
    await app.ask("mutation ($id: ID!) { eraseUser(id: $id) { complete } }", { id: leaver });
    await app.ask(UPDATE_RESOURCE, { input: { resourceId: resource, name: "After" } }, member);
    const { resource: read } = await app.ask(READ, { id: resource });
    expect(read.comments.edges.map(({ node }: { node: { id: string } }) => node.id)).toContain(theirs);
  });
});

describe("in the default organization", () => {
  test("the user who made something changes it, and the operator", async () => {
    const resource = await createResource(app, { name: "Open" }, author);
    const note = await comment(app, resource, author, "Mine");
    const rename = (name: string) => ({ input: { resourceId: resource, name } });
    const edit = { input: { commentId: note, body: "Changed" } };
    for (const [query, variables] of [
      [UPDATE_RESOURCE, rename("No")],
      [DELETE_RESOURCE, { input: { resourceId: resource } }],
      [UPDATE_COMMENT, edit],
      [DELETE_COMMENT, { input: { commentId: note } }],
    ] as const)
      expect(await app.refuse(query, variables, stranger)).toMatchObject({ code: "FORBIDDEN" });
    expect((await app.ask(UPDATE_COMMENT, edit, author)).updateComment.body).toBe("Changed");
    await app.ask(UPDATE_RESOURCE, rename("By its maker"), author);
    await app.ask(UPDATE_RESOURCE, rename("By the operator"));
    expect(await sql(app.databaseUrl, "select name from catalog.resources where id = $1", [resource])).toEqual([
      { name: "By the operator" },
    ]);
    await app.ask(DELETE_COMMENT, { input: { commentId: note } });
    await app.ask(DELETE_RESOURCE, { input: { resourceId: resource } }, author);
    expect(await sql(app.databaseUrl, "select id from catalog.resources where id = $1", [resource])).toEqual([]);
  });
});
