/** Who may be the author of a comment. */
import type { Actor } from "#engine/auth/actor";
import { findRole } from "#engine/auth/membership";
import { authorizeInOrganization, roleMay } from "#engine/auth/policy";
import { invalidInput, TenantryError } from "#base/kernel/errors";
import { refuseKeyAtHome, type LocationContext } from "#engine/routing/location";
import type { Route } from "#engine/routing/routing";

/**
 * The author of a new comment: the calling user, or whom the operator or a key names. INVALID_INPUT when those name nobody,
 * FORBIDDEN when a user names another.
 */
export function chooseAuthor(actor: Actor, authorId: string | null): string {
  if (actor.kind !== "user") {
    if (authorId !== null) return authorId;
    const who = actor.kind === "operator" ? "The operator" : "A key";
    throw invalidInput("authorId", `${who} is no user: name the comment's author with authorId.`);
  }
  if (authorId !== null && authorId !== actor.userId)
    throw new TenantryError("FORBIDDEN", "Only the operator and keys may name another author.", { field: "authorId" });
  return actor.userId;
}

/** Refuses an author who may not write there: INVALID_INPUT where another was named, FORBIDDEN for a calling VIEWER. */
export async function requireAuthor(
  context: LocationContext,
  actor: Actor,
  authorId: string,
  route: Route,
): Promise<void> {
  if (route.kind === "home") {
    if (actor.kind === "user") return;
    refuseKeyAtHome(actor);
    const found = await context.home.query("users.exists", "select from tenantry.users where id = $1", [authorId]);
    if (found.length === 0) throw invalidInput("authorId", "There is no user with this id.");
    return;
  }
  // The resource was located for the key, so it is of the key's own organization.
  if (actor.kind === "key") authorizeInOrganization(actor, actor.role, "write-content");
  if (roleMay(await context.roleCache.memberRoleOf(route.organizationId, authorId), "write-content")) return;
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
