/** Which function of the engine runs each kind of job. */
import { eraseEverywhere } from "#engine/erasure/erase-everywhere";
import { reviewErasures } from "#engine/erasure/review-erasures";
import type { JobHandlers } from "#engine/jobs/job-runner";
import { provisionPlacement } from "#engine/placements/provision-placement";
import { keepReadyDatabases } from "#engine/placements/ready-databases";
import { finishRetirement } from "#engine/placements/retire-region";
import { revokePlacement } from "#engine/placements/revoke-placement";

export const JOB_HANDLERS: JobHandlers = {
  "provision-placement": provisionPlacement,
  "revoke-placement": revokePlacement,
  "keep-ready-databases": keepReadyDatabases,
  "retire-region": finishRetirement,
  "erase-user": eraseEverywhere,
  "review-erasures": reviewErasures,
};
