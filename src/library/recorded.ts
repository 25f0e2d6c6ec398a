/** What the library does is in the audit log as what the API does. */
import type { Actor } from "#engine/auth/actor";
import type { What } from "#engine/audit/entry";
import { NOTHING, recorded } from "#engine/audit/record";
import { changing } from "#engine/failures/after-writing";
import type { Services } from "#engine/services";
import { callSourceOf } from "#library/actor";

/** `action`: the mutation's name. `made` says what the result adds. */
export function recordedAct<Result>(
  services: Services,
  { actor, action, what }: { actor: Actor; action: string; what: Partial<What> },
  work: () => Promise<Result>,
  made?: (result: Result) => Partial<What>,
): Promise<Result> {
  const act = { callSource: callSourceOf(actor), action, what: { ...NOTHING, ...what } };
  return recorded(services, act, () => changing(work), made);
}
