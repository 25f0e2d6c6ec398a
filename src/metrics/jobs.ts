import type { LabelledGauge, Metrics } from "#base/observability/metrics";
import { JOBS } from "#engine/jobs/job";
import type { JobsOfKind } from "#engine/readings/reading";
import { most, series } from "#metrics/figures";

const JOB_STATES = ["WAITING", "RUNNING", "FAILED"] as const;

/** Of each kind there is always a series, so that an alert never waits for the first job. */
export function jobGauges(metrics: Metrics): (jobs: readonly JobsOfKind[] | undefined) => void {
  const gauge = metrics.gauge.bind(metrics);
  const states = gauge("tenantry_jobs", "Jobs that are not done, by kind and state. FAILED ones are not tried again.", [
    "kind",
    "state",
  ]);
  const failing = gauge("tenantry_jobs_failing", "Jobs whose last attempt failed and which are tried again, by kind.", [
    "kind",
  ]);
  const oldest = gauge(
    "tenantry_job_oldest_due_seconds",
    "For how long the oldest job that waits has been due, by kind.",
    ["kind"],
  );
  const attempts = gauge("tenantry_job_most_attempts", "The most attempts of one job that is tried again, by kind.", [
    "kind",
  ]);
  return (jobs) => {
    const kinds = jobs === undefined ? [] : Object.keys(JOBS);
    const found = (kind: string, state: string) => jobs?.find((one) => one.kind === kind && one.state === state);
    const each = (of: LabelledGauge, value: (open: JobsOfKind[]) => number) =>
      of.set(
        kinds.flatMap((kind) =>
          series({ kind }, value(["WAITING", "RUNNING"].flatMap((state) => found(kind, state) ?? []))),
        ),
      );
    states.set(
      kinds.flatMap((kind) => JOB_STATES.flatMap((state) => series({ kind, state }, found(kind, state)?.jobs ?? 0))),
    );
    each(failing, (open) => open.reduce((sum, { failing: value }) => sum + value, 0));
    each(oldest, (open) => most(open.map(({ oldestDueSeconds }) => oldestDueSeconds)) ?? 0);
    each(attempts, (open) => most(open.map(({ mostAttempts }) => mostAttempts)) ?? 0);
  };
}
