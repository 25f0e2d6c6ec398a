/** The migration that runs, or the last one. */
import { Link } from "@tanstack/react-router";
import { count } from "../../ui/format.ts";
import { Meter, Meters } from "../../ui/meter.tsx";
import { Facts, Panel } from "../../ui/page.tsx";
import { JobStatus } from "../../ui/status.tsx";
import { Ago } from "../../ui/time.tsx";
import { StepList } from "../jobs/step-list.tsx";
import type { FleetRun } from "./fleet.tsx";

export function Run({ run: { job, canaries, waves, migrated, failed, left } }: { run: FleetRun }) {
  return (
    <Panel
      title={job.finishedAt === null ? "Migration" : "Last migration"}
      actions={<JobStatus state={job.state} isFailing={job.isFailing} />}
      foot={
        <Link to="/jobs" search={{ job: job.id }}>
          The job
        </Link>
      }
    >
      <div className="stack">
        <Meters>
          <Done migrated={migrated} left={left} />
        </Meters>
        <Facts
          rows={[
            ["Begun", <Ago key="begun" at={job.requestedAt} />],
            ["First databases", canaries === null ? "not planned yet" : count(canaries)],
            ["Waves", waves === null ? "not planned yet" : waves.length === 0 ? "none" : waves.map(count).join(", ")],
            ["Migrated", count(migrated)],
            ["Failed", failed === 0 ? "none" : <Failed key="failed" failed={failed} />],
            ["Left", count(left)],
          ]}
        />
        <StepList job={job} />
      </div>
    </Panel>
  );
}

/** A bar of what is done: a full one is good news here, so it has no word of warning. */
function Done({ migrated, left }: { migrated: number; left: number }) {
  return <Meter name="Databases at the newest version" used={migrated} limit={migrated + left} isProgress />;
}

function Failed({ failed }: { failed: number }) {
  return (
    <Link to="/fleet" search={{ failed: "yes" }}>
      {count(failed)}
    </Link>
  );
}
