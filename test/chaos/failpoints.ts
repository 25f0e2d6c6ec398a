/** Where jobs are stopped, and by which death: all of it with TENANTRY_CHAOS=full, a cut of it otherwise. */
import { JOBS, type JobKind } from "../../src/engine/jobs/job.ts";

const IS_FULL = process.env["TENANTRY_CHAOS"] === "full";

/**
 * A job's failpoints: before and after each step, and before its end is recorded. Between the end of a step and the beginning of
 * the next one nothing is done but records, so the cut has the first beginning and all ends.
 */
export function failpointsOf(kind: JobKind): string[] {
  const befores = JOBS[kind].steps.map((step) => `${kind}/${step}/before`);
  const afters = JOBS[kind].steps.map((step) => `${kind}/${step}/after`);
  const passed = IS_FULL
    ? befores.flatMap((before, at) => [before, ...afters.slice(at, at + 1)])
    : [...befores.slice(0, 1), ...afters];
  return [...passed, `${kind}/finish`];
}

/** Who is killed at which failpoints: in the cut, each failpoint has one victim, and neighbours have different ones. */
export function disastersAt(
  failpoints: readonly string[],
  victims: readonly string[],
): { victim: string; failpoint: string }[] {
  return failpoints.flatMap((failpoint, at) =>
    victims.filter((_, turn) => IS_FULL || turn === at % victims.length).map((victim) => ({ victim, failpoint })),
  );
}
