/**
 * Another application on the tables of the one that ships, with other names and other kinds of fields: what the kit makes of
 * a declaration must not depend on how the shipped one is declared.
 */
import { Comment } from "../../src/app/comments/shape.ts";
import { TENANT_SCHEMA } from "../../src/app/schema.ts";
import { Resource } from "../../src/app/resources/shape.ts";
import { ENGINE_MODULES } from "../../src/api/graphql/engine-modules.ts";
import {
  defineApp,
  defineModule,
  followAdded,
  id,
  inOrganization,
  int,
  listCatalog,
  listed,
  member,
  organization,
  page,
  readById,
  region,
  row,
  shape,
  text,
  time,
  uuid,
} from "../../src/api/graphql/kit.ts";
import { buildSchema } from "../../src/api/graphql/schema.ts";

const Note = shape("Note", {
  description: "A note.",
  table: Comment.table,
  subject: "NOTE",
  fields: {
    id: id(),
    project: uuid("resource_id"),
    writer: member("author_id", "Who wrote it."),
    again: member("author_id", "The same person under another name."),
    words: text("body", { long: true, nullable: true }),
    writtenAt: time("created_at", { nullable: true }),
    number: int("database_id"),
  },
  columns: { projectId: uuid("resource_id") },
});

export const Project = shape("Project", {
  description: "A project with notes.",
  table: Resource.table,
  catalog: Resource.catalog,
  subject: "PROJECT",
  fields: {
    title: text("name"),
    id: id(),
    made: member("created_by", "Who made it."),
    maker: uuid("created_by", { nullable: true }),
    owner: organization("Whose it is."),
    home: region("Where it is."),
    number: int("database_id", { nullable: true }),
    madeAt: time("created_at"),
    notes: page(Note, { by: "projectId", description: "What was noted." }),
    sameNotes: page(Note, { by: "projectId", description: "The same again." }),
  },
});

const projects = defineModule({
  name: "projects",
  parts: [
    Note,
    Project,
    readById("project", Project, { description: "A project.", policy: row(inOrganization("read")) }),
    listCatalog("projects", Project, { description: "All of them.", policy: row(listed("read")) }),
    followAdded("noteAdded", Note, {
      description: "Notes as they come.",
      policy: row(inOrganization("read")),
      of: Project,
      by: "projectId",
      made: [],
      channel: "tenantry_comment",
    }),
  ],
});

export const secondApplication = defineApp({ tenantSchema: TENANT_SCHEMA, modules: [projects] });
export const secondSchema = buildSchema([...ENGINE_MODULES, ...secondApplication.modules]);
