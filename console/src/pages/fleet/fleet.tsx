/** Schema versions of all tenant databases: which there are, the migration that runs, and what differs. */
import { getRouteApi } from "@tanstack/react-router";
import { graphql, type ResultOf } from "../../api/graphql.ts";
import { useRead } from "../../api/use-api.ts";
import { usePollMs } from "../../shell/live.tsx";
import { count } from "../../ui/format.ts";
import { Figure, Page, Panel } from "../../ui/page.tsx";
import { CommandLine } from "../../ui/copy.tsx";
import { Loaded } from "../../ui/states.tsx";
import { Databases } from "./databases.tsx";
import { Drift } from "./drift.tsx";
import { Run } from "./run.tsx";

const FLEET = graphql(`
  query Fleet {
    fleet {
      target
      versions { version databases isTarget }
      run {
        canaries
        waves
        migrated
        failed
        left
        job {
          id
          state
          isFailing
          lastError
          requestedAt
          finishedAt
          dueAt
          attempts
          steps { name startedAt finishedAt failure attempts }
        }
      }
    }
  }
`);

type FleetData = ResultOf<typeof FLEET>["fleet"];
export type FleetRun = NonNullable<FleetData["run"]>;

/** A migration that runs is looked at closely. */
const RUNNING_POLL_MS = 2_000;

const route = getRouteApi("/fleet");

export function Fleet() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const pollMs = usePollMs();
  const reading = useRead(
    "fleet",
    FLEET,
    {},
    {
      pollMs: (data) => (data?.fleet.run?.job.state === "RUNNING" ? RUNNING_POLL_MS : pollMs),
    },
  );
  return (
    <Page
      title="Fleet"
      lead="Each tenant database has a version of the schema. A migration takes a few databases first, then wave after wave."
    >
      <Loaded reading={reading}>
        {({ fleet }) => (
          <>
            <Versions fleet={fleet} />
            {fleet.run === null ? <NoRun target={fleet.target} /> : <Run run={fleet.run} />}
          </>
        )}
      </Loaded>
      <Databases
        behind={search.behind}
        failed={search.failed}
        onChange={(values) => void navigate({ search: (before) => ({ ...before, ...values }) })}
      />
      <Drift />
    </Page>
  );
}

function Versions({ fleet: { target, versions } }: { fleet: FleetData }) {
  const others = versions.filter(({ version, isTarget }) => version !== null && !isTarget);
  const behind = others.reduce((sum, { databases }) => sum + databases, 0);
  return (
    <>
      <div className="figures">
        <Figure name="This program migrates to" value={`version ${target}`} />
        {versions.map(({ version, databases, isTarget }) => (
          <Figure
            key={version ?? "being made"}
            name={version === null ? "Being made" : `At version ${version}`}
            value={count(databases)}
            note={isTarget ? "the newest" : version === null ? "no version yet" : "to be migrated"}
          />
        ))}
      </div>
      {behind > 0 && (
        <p className="row">
          To migrate them: <CommandLine command="tenantry migrate" />
        </p>
      )}
    </>
  );
}

function NoRun({ target }: { target: number }) {
  return (
    <Panel title="Migration">
      <p className="muted">No migration has run yet. New databases are made at version {target} from a template.</p>
    </Panel>
  );
}
