import { type Actor, viewerId } from "#engine/auth/actor";
import { authorizeOperator } from "#engine/auth/policy";
import { seesPerson } from "#engine/auth/visibility";
import { notFound, TenantryError } from "#base/kernel/errors";
import { newId } from "#base/kernel/ids";
import { idsOf, type Page, type PageRequest, readingOrder, toPage } from "#base/kernel/page";
import { validEmail, validName } from "#base/kernel/validation";
import type { HomeDatabase, Queryable } from "#base/postgres/database";
import { isBetween, isPageOf } from "#base/kernel/page-range";
import { SQL_STATE, sqlState } from "#base/postgres/sql-state";

/** A person who uses the system. Lives at home. */
export type User = { id: string; name: string; email: string; createdAt: Date };

const COLUMNS = `u.id, u.name, u.email, u.created_at as "createdAt"`;

/** Adds a user. INVALID_INPUT on a bad name or address, CONFLICT when the address is taken. */
export async function createUser(
  { home }: { home: HomeDatabase },
  actor: Actor,
  input: { name: string; email: string },
): Promise<User> {
  authorizeOperator(actor);
  const name = validName("name", input.name);
  const email = validEmail("email", input.email);
  try {
    const [user] = await home.query<User>(
      "users.create",
      `insert into tenantry.users as u (id, name, email) values ($1, $2, $3) returning ${COLUMNS}`,
      [newId(), name, email],
    );
    if (user === undefined) throw new Error("the insert returned no row");
    return user;
  } catch (error) {
    if (sqlState(error) !== SQL_STATE.uniqueViolation) throw error;
    throw emailTaken();
  }
}

/** The users with these ids that the actor may see, in no particular order. */
export function findUsers(
  { home }: { home: Queryable<"home"> },
  actor: Actor,
  ids: readonly string[],
): Promise<User[]> {
  return home.query<User>(
    "users.find",
    `select ${COLUMNS} from tenantry.users u where u.id = any($1::uuid[]) and ${seesPerson("u.id", "$2")}`,
    [ids, viewerId(actor)],
  );
}

/** One user. NOT_FOUND when there is none that the actor may see. */
export async function getUser(context: { home: HomeDatabase }, actor: Actor, id: string): Promise<User> {
  const [user] = await findUsers(context, actor, [id]);
  if (user === undefined) throw notFound("User");
  return user;
}

const listAll = (page: PageRequest) =>
  `select ${COLUMNS} from tenantry.users u where ${isBetween("u.id", page, ["$1", "$2"])}
   order by u.id ${readingOrder(page)} limit $3`;
/** Themselves, and from each of their organizations as many as the page can have: others' people are not passed. */
const listKnown = (order: string) => `select ${COLUMNS} from (
    select $4::uuid as id
    union
    select m.user_id from tenantry.roles mine cross join lateral (
      select t.user_id from tenantry.memberships t
      where ${isPageOf(["t.organization_id", "t.user_id"], "mine.organization_id", ["$1", "$2"])}
      order by t.organization_id ${order}, t.user_id ${order} limit $3) m
    where mine.holder_id = $4
  ) known join tenantry.users u on u.id = known.id
  where known.id > $1 and known.id < $2 order by known.id ${order} limit $3`;

export async function listUsers(
  { home }: { home: HomeDatabase },
  actor: Actor,
  filter: { email: string | null },
  page: PageRequest,
): Promise<Page<User>> {
  if (filter.email !== null) return findByEmail({ home }, actor, filter.email, page);
  const viewer = viewerId(actor);
  const rows = await home.query<User>("users.list", viewer === null ? listAll(page) : listKnown(readingOrder(page)), [
    ...idsOf(page),
    page.first + 1,
    ...(viewer === null ? [] : [viewer]),
  ]);
  return toPage(rows, page);
}

/** The user with the address, whatever its case, as a page. FORBIDDEN but for the operator: it would tell who is a user. */
async function findByEmail(
  { home }: { home: HomeDatabase },
  actor: Actor,
  email: string,
  page: PageRequest,
): Promise<Page<User>> {
  authorizeOperator(actor);
  const rows = await home.query<User>(
    "users.by_email",
    `select ${COLUMNS} from tenantry.users u
     where tenantry.address_key(u.email) = tenantry.address_key($1) and ${isBetween("u.id", page, ["$2", "$3"])}
     order by u.id ${readingOrder(page)} limit $4`,
    [validEmail("email", email), ...idsOf(page), page.first + 1],
  );
  return toPage(rows, page);
}

/**
 * Changes a user's name or address; what is left out stays. Users change their own name. An address is the operator's to
 * change: nobody proves here that one is theirs, and CONFLICT would tell whose it is. NOT_FOUND, or FORBIDDEN for somebody
 * whom the actor sees.
 */
export async function updateUser(
  context: { home: HomeDatabase },
  actor: Actor,
  input: { id: string; name: string | null; email: string | null },
): Promise<User> {
  if (actor.kind !== "operator") {
    if (viewerId(actor) !== input.id) await getUser(context, actor, input.id);
    if (viewerId(actor) !== input.id || input.email !== null) authorizeOperator(actor);
  }
  const name = input.name === null ? null : validName("name", input.name);
  const email = input.email === null ? null : validEmail("email", input.email);
  try {
    const [user] = await context.home.query<User>(
      "users.update",
      `update tenantry.users u set name = coalesce($2, name), email = coalesce($3, email)
       where id = $1 and erased_at is null returning ${COLUMNS}`,
      [input.id, name, email],
    );
    if (user === undefined) throw notFound("User");
    return user;
  } catch (error) {
    if (sqlState(error) !== SQL_STATE.uniqueViolation) throw error;
    throw emailTaken();
  }
}

/** Replaces a user's name and address for good. NOT_FOUND when there is no such user; again is the same. */
export async function eraseUserAtHome({ home }: { home: Queryable<"home"> }, id: string): Promise<User> {
  const [user] = await home.query<User>(
    "users.erase",
    `update tenantry.users u
     set name = 'Erased user', email = 'erased-' || id || '@invalid', erased_at = coalesce(erased_at, now())
     where id = $1 returning ${COLUMNS}`,
    [id],
  );
  if (user === undefined) throw notFound("User");
  return user;
}

function emailTaken(): TenantryError {
  return new TenantryError("CONFLICT", "A user with this e-mail address exists already.", { field: "email" });
}
