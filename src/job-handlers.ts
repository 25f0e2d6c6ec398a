/** Which function of the engine runs each kind of job. */
import { eraseEverywhere } from "#engine/erasure/erase-everywhere";
import { reviewErasures } from "#engine/erasure/review-erasures";
import type { JobHandlers } from "#engine/jobs/job-runner";
import { carryNowhere } from "#engine/moves/carry-nowhere";
import { emptyAndRetire } from "#engine/moves/empty-region";
import { provisionPlacement } from "#engine/placements/provision-placement";
import { revokePlacement } from "#engine/placements/revoke-placement";

export const JOB_HANDLERS: JobHandlers = {
  "provision-placement": provisionPlacement,
  "revoke-placement": revokePlacement,
  "move-placement": carryNowhere,
  "forget-source": carryNowhere,
  "retire-region": emptyAndRetire,
  "erase-user": eraseEverywhere,
  "review-erasures": reviewErasures,
};
