/** What the command line does is recorded as what the API does. */
import { COMMAND_LINE, type What } from "#engine/audit/entry";
import { NOTHING, recorded } from "#engine/audit/record";
import { isRegionKey } from "#base/kernel/validation";
import type { Services } from "#engine/services";

/**
 * Does it between its entry in the audit log and the outcome. `action` is the mutation's name where there is one; `made` says
 * what the result adds. CAPABILITY_MISSING, with nothing done, when the entry cannot be written.
 */
export function recordedCommand<Result>(
  services: Services,
  action: string,
  what: Partial<What>,
  work: () => Promise<Result>,
  made?: (result: Result) => Partial<What>,
): Promise<Result> {
  return recorded(services, { callSource: COMMAND_LINE, action, what: { ...NOTHING, ...what } }, work, made);
}

/** What an act on a placement is about; its organization is looked up. */
export function onPlacement(id: string): Partial<What> {
  return { subjectKind: "PLACEMENT", subjectId: id, placementId: id };
}

/** What an act on a region is about. */
export function onRegion(key: string): Partial<What> {
  return { subjectKind: "REGION", subjectId: isRegionKey(key) ? key : null };
}
