/** Which function of the engine runs each kind of job. */
import { TenantryError } from "#base/kernel/errors";
import { eraseEverywhere } from "#engine/erasure/erase-everywhere";
import { reviewErasures } from "#engine/erasure/review-erasures";
import type { JobHandlers } from "#engine/jobs/job-runner";
import { emptyAndRetire } from "#engine/moves/empty-region";
import { provisionPlacement } from "#engine/placements/provision-placement";
import { revokePlacement } from "#engine/placements/revoke-placement";

export const JOB_HANDLERS: JobHandlers = {
  "provision-placement": provisionPlacement,
  "revoke-placement": revokePlacement,
  "move-placement": notYet,
  "forget-source": notYet,
  "retire-region": emptyAndRetire,
  "erase-user": eraseEverywhere,
  "review-erasures": reviewErasures,
};

/** Stands where the handlers of moves go. */
function notYet(): Promise<void> {
  return Promise.reject(new TenantryError("CONFLICT", "This program cannot carry moves."));
}
