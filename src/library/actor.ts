/** Who is behind what a team's program does. */
import { type Actor as EngineActor, OPERATOR } from "#engine/auth/actor";
import type { CallSource } from "#engine/audit/entry";
import { validId } from "#base/kernel/validation";

/**
 * Whom the program acts for: a user, by id. Left out, it acts for nobody but the team, as an operator: it may do everything, and
 * the audit log says OPERATOR.
 */
export type Actor = { readonly userId: string };

/** As the engine knows them. INVALID_INPUT for what is no id. */
export function readActor(actor: Actor | undefined): EngineActor {
  return actor === undefined ? OPERATOR : { kind: "user", userId: validId("actor.userId", actor.userId) };
}

/** What stands for them in the scope of a statement; engine/schema reads it. */
export function nameInScope(actor: EngineActor): string {
  return actor.kind === "user" ? actor.userId : "operator";
}

/** What the audit log says of them. */
export function callSourceOf(actor: EngineActor): CallSource {
  const via = { via: "LIBRARY", address: null, userAgent: null } as const;
  return actor.kind === "user"
    ? { who: "USER", whoId: actor.userId, ...via }
    : { who: "OPERATOR", whoId: null, ...via };
}
