/** Sign-in for development, on loopback only: no header is the operator, `x-user-id` acts as that user. */
import { type Actor, OPERATOR } from "#auth/actor";
import { TenantryError } from "#kernel/errors";
import { isUuid } from "#kernel/ids";
import type { HomeDatabase } from "#postgres/database";

/** Throws UNAUTHENTICATED when the header names nobody. */
export async function developmentActor({ home }: { home: HomeDatabase }, userId: string | null): Promise<Actor> {
  if (userId === null || userId === "") return OPERATOR;
  const found = isUuid(userId)
    ? await home.query("users.exists", "select from tenantry.users where id = $1", [userId])
    : [];
  if (found.length === 0) throw new TenantryError("UNAUTHENTICATED", "The header x-user-id names no user.");
  return { kind: "user", userId: userId.toLowerCase() };
}
