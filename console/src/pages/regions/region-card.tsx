import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { duration, UNKNOWN } from "../../ui/format.ts";
import { Meter, Meters } from "../../ui/meter.tsx";
import { Facts } from "../../ui/page.tsx";
import { Notice } from "../../ui/states.tsx";
import { Status } from "../../ui/status.tsx";
import { Ago } from "../../ui/time.tsx";
import type { HomeRow, RegionRow } from "./regions.tsx";

type Props = { region: RegionRow; actions: ((what: "change" | "retire", region: RegionRow) => void) | undefined };

export function RegionCard({ region, actions }: Props) {
  const { key, name, server } = region;
  return (
    <section className="panel region" aria-label={`Region ${key}`}>
      <div className="panel-head">
        <div className="row">
          <h2>{key}</h2>
          <p>{name}</p>
        </div>
        <Reachable server={server} />
      </div>
      <div className="panel-body stack">
        {server.problem !== null && <Notice tone={server.reachable ? "warn" : "bad"}>{server.problem}</Notice>}
        {server.advice.map((advice) => (
          <Notice key={advice}>{advice}</Notice>
        ))}
        <Facts rows={factsOf(region)} />
        <Room headroom={server.headroom} />
      </div>
      <div className="panel-foot row">
        <Link to="/placements" search={{ region: key }}>
          Placements
        </Link>
        <Link to="/organizations" search={{ region: key }}>
          Organizations
        </Link>
        <Link to="/links" search={{ region: key }}>
          Links
        </Link>
        <Link to="/jobs" search={{ region: key }}>
          Jobs
        </Link>
        {actions !== undefined && (
          <span className="region-actions">
            <button type="button" className="button" onClick={() => actions("change", region)}>
              Change
              <span className="visually-hidden"> {key}</span>
            </button>
            <button type="button" className="button danger" onClick={() => actions("retire", region)}>
              Retire
              <span className="visually-hidden"> {key}</span>
            </button>
          </span>
        )}
      </div>
    </section>
  );
}

/** Home's server has no page of links and jobs of its own: all of them are its. */
export function HomeCard({ home: { coordinates, version, problem, advice, headroom } }: { home: HomeRow }) {
  return (
    <section className="panel region" aria-label="Home">
      <div className="panel-head">
        <div className="row">
          <h2>home</h2>
          <p>the directory, the catalog and the jobs</p>
        </div>
        {problem === null ? <Status tone="ok">Answers</Status> : <Status tone="warn">Needs care</Status>}
      </div>
      <div className="panel-body stack">
        {problem !== null && <Notice tone="warn">{problem}</Notice>}
        {advice.map((sentence) => (
          <Notice key={sentence}>{sentence}</Notice>
        ))}
        <Facts
          rows={[
            ["Version", versionText(version)],
            ["Coordinates", coordinates === null ? "not given: set TENANTRY_HOME_COORDINATES" : placeText(coordinates)],
          ]}
        />
        <Room headroom={headroom} />
      </div>
    </section>
  );
}

function versionText(version: string | null): string {
  return version === null ? UNKNOWN : `PostgreSQL ${version}`;
}

function placeText({ latitude, longitude }: { latitude: number; longitude: number }): string {
  return `${latitude}, ${longitude}`;
}

function Reachable({ server: { reachable, problem } }: { server: RegionRow["server"] }) {
  if (!reachable) return <Status tone="bad">Away</Status>;
  return problem === null ? <Status tone="ok">Answers</Status> : <Status tone="warn">Answers, needs care</Status>;
}

const METHODS: Record<string, string> = {
  SUPERUSER: "Superuser",
  PROVIDER_ROLE: "A role of the provider",
  PG_CREATE_SUBSCRIPTION: "pg_create_subscription",
  AIVEN_EXTRAS: "aiven_extras",
};

/** A server whose clock differs by more is said to. */
const CLOCK_SECONDS = 1;

function factsOf({ coordinates, server }: RegionRow): [string, ReactNode][] {
  const { host, port, poolUrl, version, subscriptionMethod, answersSince, clockAheadSeconds: ahead } = server;
  const facts: [string, ReactNode][] = [
    ["Server", <code key="server">{`${host}:${port}`}</code>],
    ["Version", versionText(version)],
    ["Subscriptions", METHODS[subscriptionMethod ?? ""] ?? subscriptionMethod ?? UNKNOWN],
    ["Answers since", <Ago key="since" at={answersSince} />],
    ["Clock", ahead === null ? UNKNOWN : clockText(ahead)],
    ["Coordinates", coordinates === null ? "not given" : placeText(coordinates)],
  ];
  if (poolUrl !== null) facts.splice(1, 0, ["Pooler", <code key="pooler">{poolUrl}</code>]);
  return facts;
}

function clockText(ahead: number): string {
  if (Math.abs(ahead) < CLOCK_SECONDS) return "as home's";
  return `${duration(Math.abs(ahead))} ${ahead > 0 ? "ahead of" : "behind"} home's`;
}

const NAMES: Record<string, string> = {
  max_replication_slots: "Replication slots",
  max_active_replication_origins: "Origins",
  max_wal_senders: "WAL senders",
  max_logical_replication_workers: "Replication workers",
  max_worker_processes: "Worker processes",
  max_connections: "Connections",
};

function Room({ headroom }: { headroom: RegionRow["server"]["headroom"] }) {
  if (headroom === null || headroom.length === 0) return null;
  return (
    <Meters>
      {headroom.map(({ setting, used, limit }) => (
        <Meter key={setting} name={NAMES[setting] ?? setting} used={used} limit={limit} />
      ))}
    </Meters>
  );
}
