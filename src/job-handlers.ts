/** Which function of the engine runs each kind of job. */
import { eraseEverywhere } from "#engine/erasure/erase-everywhere";
import { reviewErasures } from "#engine/erasure/review-erasures";
import type { JobHandlers } from "#engine/jobs/job-runner";
import { emptyAndRetire } from "#engine/moves/empty-region";
import { forgetSource, movePlacement, type MoveTimes } from "#engine/moves/move-placement";
import { provisionPlacement } from "#engine/placements/provision-placement";
import { keepReadyDatabases } from "#engine/placements/ready-databases";
import { revokePlacement } from "#engine/placements/revoke-placement";

export function jobHandlers(moves: MoveTimes = {}): JobHandlers {
  return {
    "provision-placement": provisionPlacement,
    "revoke-placement": revokePlacement,
    "keep-ready-databases": keepReadyDatabases,
    "move-placement": (services, run) => movePlacement(services, run, moves),
    "forget-source": (services, run) => forgetSource(services, run, moves),
    "retire-region": emptyAndRetire,
    "erase-user": eraseEverywhere,
    "review-erasures": reviewErasures,
  };
}
