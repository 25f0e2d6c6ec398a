import { authorizeOperator } from "#engine/auth/policy";
import type { Actor } from "#engine/auth/actor";
import { getUser, type User } from "#engine/home/users";
import { notFound } from "#base/kernel/errors";
import { validEmail } from "#base/kernel/validation";
import type { HomeDatabase } from "#base/postgres/database";

/** The user with this e-mail address, whatever its case, for the operator. NOT_FOUND when there is none. */
export async function findUserByAddress(context: { home: HomeDatabase }, actor: Actor, email: string): Promise<User> {
  authorizeOperator(actor);
  const [found] = await context.home.query<{ id: string }>(
    "users.find_by_address",
    "select id from tenantry.users where tenantry.address_key(email) = tenantry.address_key($1)",
    [validEmail("email", email)],
  );
  if (found === undefined) throw notFound("User");
  return getUser(context, actor, found.id);
}
