import { type ContentAct, recordingContent } from "#engine/audit/content";
import { type Actor, viewerId } from "#engine/auth/actor";
import { findRole } from "#engine/auth/membership";
import { authorizeInOrganization, roleMay } from "#engine/auth/policy";
import { seesPerson } from "#engine/auth/visibility";
import { answerTooLarge } from "#base/kernel/answer-size";
import { currentCall } from "#base/kernel/call";
import { invalidInput, notFound, TenantryError } from "#base/kernel/errors";
import { newRoutedId, placementNumberOf } from "#base/kernel/ids";
import { DEFAULT_LIMITS } from "#base/kernel/limits";
import { BEFORE_ALL, type Page, type PageRequest, toPage } from "#base/kernel/page";
import { validBody } from "#base/kernel/validation";
import type { DatabaseKind, ScopedDatabase } from "#base/postgres/database";
import { SQL_STATE, sqlState } from "#base/postgres/sql-state";
import { boundedText, type Member, type TextRow } from "#engine/routing/region-text";
import { type CommentValue, commentText } from "#app/resources/resource-text";
import {
  type ContentPlace,
  databaseIdOf,
  findPlace,
  organizationIdOf,
  type Place,
  refuseKeyAtHome,
  regionKeyOf,
  type WorkspaceContext,
} from "#engine/routing/location";
import { locateResource, readResource } from "#app/resources/resources";
import type { Route } from "#engine/routing/routing";

/** A text note on a resource by a user. Lives in the resource's database and nowhere else. */
export type Comment = {
  id: string;
  resourceId: string;
  authorId: string | null;
  body: string;
  createdAt: Date;
};

/** A comment's author as the resource's own database knows them: today's members only, besides at home. */
export type Author = {
  id: string;
  name: string;
  /** null: not for this caller, who shares the default organization with the author and nothing else. */
  email: string | null;
  createdAt: Date;
};

/** Channel of each database on which the ids of new comments are announced: `<resource id> <comment id>`. */
export const COMMENT_CHANNEL = "tenantry_comment";

const COLUMNS = `id, resource_id as "resourceId", author_id as "authorId", body, created_at as "createdAt"`;

export type NewComment = { resourceId: string; body: string; authorId: string | null };

/**
 * Adds a comment, and its entry in the audit log. INVALID_INPUT on an empty or overlong body and for an author who may not write there,
 * NOT_FOUND for a resource that the actor may not see, FORBIDDEN for a VIEWER.
 */
export async function createComment(
  context: WorkspaceContext,
  actor: Actor,
  input: NewComment,
  act: ContentAct,
): Promise<Comment> {
  const { row } = await addComment(context, actor, input, act, { statement: AS_ROW, values: [] });
  return row as Comment;
}

const AS_ROW = insertion(`select ${COLUMNS} from added c`);

/** What {@link createCommentText} answers, made once for whatever selects these members. */
export function commentInsertion(members: readonly Member<CommentValue>[]): Insertion {
  return insertion(
    boundedText(
      commentText(members, "c"),
      `from added c left join tenantry.directory_members m
        on m.database_id = c.database_id and m.organization_id = c.organization_id and m.user_id = c.author_id`,
      `$${COMMENT_PARAMETERS + 1}::int`,
    ),
  );
}

/**
 * The same, answered as JSON text (app/resources/resource-text.ts), to be proven. Not for the default organization's resources.
 */
export async function createCommentText(
  context: WorkspaceContext,
  actor: Actor,
  input: NewComment & { maxBytes: number },
  act: ContentAct,
  statement: Insertion,
): Promise<TextRow> {
  const answer = { statement, values: [input.maxBytes] };
  const { row, route } = await addComment(context, actor, input, act, answer);
  return { ...(row as Omit<TextRow, "regionKey">), regionKey: regionKeyOf(route) };
}

/** The statement that adds a comment, with the part that writes the entry in the audit log. */
export type Insertion = (entry: string) => string;

/** What a statement gives of the comment, and the values of its parameters beyond the comment's own. */
type Answer = { statement: Insertion; values: readonly unknown[] };

/** Of the comment itself. */
const COMMENT_PARAMETERS = 6;

/** `answer` reads the row that is added from `added`. */
function insertion(answer: string): Insertion {
  const texts = new Map<string, string>();
  return (entry) => {
    const found = texts.get(entry);
    if (found !== undefined) return found;
    const text = `with added as (
         insert into tenantry.comments (id, database_id, organization_id, resource_id, author_id, body)
         values ($1, $2, $3, $4, $5, $6) returning *
       )${entry}
       ${answer}`;
    texts.set(entry, text);
    return text;
  };
}

async function addComment(
  context: WorkspaceContext,
  actor: Actor,
  input: NewComment,
  act: ContentAct,
  answer: Answer,
): Promise<{ row: object; route: Route }> {
  const body = validBody("body", input.body);
  const authorId = chooseAuthor(actor, input.authorId);
  const place = await findPlace(context, actor, input.resourceId, "Resource");
  await requireAuthor(context, actor, authorId, place.route).catch(async (error: unknown) => {
    // Whether there is such a resource is said first.
    await readResource(place);
    throw error;
  });
  try {
    const row = await place.there((database) =>
      insertComment(context, database, place, { authorId, body }, act, answer),
    );
    return { row, route: place.route };
  } catch (error) {
    // The insert is the look: there is no resource with the id, in that organization and database.
    if (sqlState(error) === SQL_STATE.foreignKeyViolation) throw notFound("Resource");
    throw error;
  }
}

async function insertComment(
  context: WorkspaceContext,
  database: ScopedDatabase<DatabaseKind>,
  { id: resourceId, route }: ContentPlace,
  { authorId, body }: { authorId: string; body: string },
  act: ContentAct,
  answer: Answer,
): Promise<object> {
  const databaseId = databaseIdOf(route);
  const organizationId = organizationIdOf(route);
  const id = newRoutedId(placementNumberOf(resourceId));
  const parameters = COMMENT_PARAMETERS + answer.values.length;
  const written = { database, kind: "COMMENT", id, databaseId, organizationId, parameters } as const;
  const [row] = await recordingContent(context, act, written, (entry) =>
    database.query<object>(
      "comments.create",
      answer.statement(entry.text),
      [id, databaseId, organizationId, resourceId, authorId, body, ...answer.values, ...entry.values],
      { channel: COMMENT_CHANNEL, payload: `${resourceId.toLowerCase()} ${id}` },
    ),
  );
  if (row === undefined) throw new Error("the insert returned no row");
  return row;
}

function chooseAuthor(actor: Actor, authorId: string | null): string {
  if (actor.kind !== "user") {
    if (authorId !== null) return authorId;
    const who = actor.kind === "operator" ? "The operator" : "A key";
    throw invalidInput("authorId", `${who} is no user: name the comment's author with authorId.`);
  }
  if (authorId !== null && authorId !== actor.userId)
    throw new TenantryError("FORBIDDEN", "Only the operator and keys may name another author.", { field: "authorId" });
  return actor.userId;
}

async function requireAuthor(context: WorkspaceContext, actor: Actor, authorId: string, route: Route): Promise<void> {
  if (route.kind === "home") {
    if (actor.kind === "user") return;
    refuseKeyAtHome(actor);
    const found = await context.home.query("users.exists", "select from tenantry.users where id = $1", [authorId]);
    if (found.length === 0) throw invalidInput("authorId", "There is no user with this id.");
    return;
  }
  // The resource was located for the key, so it is of the key's own organization.
  if (actor.kind === "key") authorizeInOrganization(actor, actor.role, "write-content");
  if (roleMay(await context.seats.memberRoleOf(route.organizationId, authorId), "write-content")) return;
  // What is remembered refuses nobody: the role may be a new one.
  const role = await findRole(context.home, route.organizationId, authorId);
  if (roleMay(role, "write-content")) return;
  if (actor.kind === "user") authorizeInOrganization(actor, role, "write-content");
  throw invalidInput(
    "authorId",
    role === null
      ? "The author is not a member of the resource's organization."
      : "The author is a VIEWER of the resource's organization, and viewers do not write.",
  );
}

/**
 * The same page of the comments of each of several resources of a place, oldest first, by the resource's id: one statement.
 * A resource that is not there has no page. Where nobody asks for bodies they are empty. LIMIT_EXCEEDED when they are
 * more than an answer may have: they do not leave the database then.
 */
export async function listComments(
  { route, there }: Place,
  resourceIds: readonly string[],
  page: PageRequest,
  withBodies: boolean,
): Promise<Map<string, Page<Comment>>> {
  const body = withBodies ? "c.body" : "''";
  const maxBytes = currentCall()?.answer?.max ?? DEFAULT_LIMITS.maxAnswerBytes;
  // A resource without comments has one row, of nulls.
  const rows = await there(
    (database) =>
      database.query<CommentRow | NoComment>(
        "comments.list",
        `select l.*, bytes > $6 as "isTooLarge"
         from (
           select r.id as "resourceId", c.id, c.author_id as "authorId", ${body} as body, c.created_at as "createdAt",
                  sum(octet_length(${body})) over (order by r.id, c.id rows unbounded preceding) as bytes
           from tenantry.resources r left join lateral (
             select * from tenantry.comments where resource_id = r.id and id > $4 order by id limit $5) c on true
           where r.database_id = $1 and r.id = any($2::uuid[]) and r.organization_id is not distinct from $3) l
         where coalesce(bytes - octet_length(body) <= $6, true)
         order by "resourceId", id`,
        [databaseIdOf(route), resourceIds, organizationIdOf(route), page.after ?? BEFORE_ALL, page.first + 1, maxBytes],
      ),
    resourceIds.length,
  );
  if (rows.some(({ isTooLarge }) => isTooLarge ?? false)) {
    // Ends the call, if there is one.
    currentCall()?.answer?.add(maxBytes + 1);
    throw answerTooLarge(maxBytes);
  }
  const byResource = Map.groupBy(rows, ({ resourceId }) => resourceId);
  return new Map(
    [...byResource].map(([id, found]) => [
      id,
      toPage(
        found.filter((row): row is CommentRow => row.id !== null),
        page,
      ),
    ]),
  );
}

/** With whether it is the one with which the bodies are too large together. */
type CommentRow = Comment & { isTooLarge: boolean };
/** Of a resource that has none. */
type NoComment = Record<keyof Comment, null> & { resourceId: string; isTooLarge: null };

/** One comment, for an actor who may see its resource. NOT_FOUND otherwise. */
export async function getComment(
  context: WorkspaceContext,
  actor: Actor,
  resourceId: string,
  id: string,
): Promise<Comment> {
  const { there } = await locateResource(context, actor, resourceId);
  const [comment] = await there((database) =>
    database.query<Comment>(
      "comments.get",
      `select ${COLUMNS} from tenantry.comments where id = $1 and resource_id = $2`,
      [id, resourceId],
    ),
  );
  if (comment === undefined) throw notFound("Comment");
  return comment;
}

/**
 * The authors with these ids, as the database of the place knows them. A region knows its organization's members
 * only, so who has left it is missing. In the default organization everybody is known by name, and by address to
 * those only who share another organization with them.
 */
export function findAuthors(actor: Actor, { route, there }: Place, ids: readonly string[]): Promise<Author[]> {
  return there(
    (database) =>
      route.kind === "home"
        ? database.query<Author>(
            "authors.at_home",
            `select u.id, u.name, u.created_at as "createdAt",
                    case when ${seesPerson("u.id", "$2")} then u.email end as email
             from tenantry.users u where u.id = any($1::uuid[])`,
            [ids, viewerId(actor)],
          )
        : database.query<Author>(
            "authors.in_region",
            `select user_id as id, name, email, user_created_at as "createdAt" from tenantry.directory_members
             where database_id = $1 and organization_id = $2 and user_id = any($3::uuid[])`,
            [route.databaseId, route.organizationId, ids],
          ),
    1,
  );
}
