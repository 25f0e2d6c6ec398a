/** What is failing now, the worst first, each with what to type next and the page that shows it. */
import { Link } from "@tanstack/react-router";
import { CommandLine } from "../../ui/copy.tsx";
import { counted } from "../../ui/format.ts";
import { Panel } from "../../ui/page.tsx";
import { SEVERITY_WORDS, StateStatus, Status } from "../../ui/status.tsx";
import { Ago } from "../../ui/time.tsx";
import type { OverviewData } from "./overview.tsx";

type Item = OverviewData["attention"][number];

export function Attention({ attention, more }: { attention: readonly Item[]; more: number }) {
  return (
    <Panel
      title="Needs attention"
      note={attention.length === 0 ? undefined : counted(attention.length + more, "thing")}
      flush
    >
      {attention.length === 0 ? (
        <div className="empty">
          <Status tone="ok">Nothing is failing now.</Status>
        </div>
      ) : (
        <ul className="attention">
          {attention.map((item) => (
            <li key={`${item.sentence} ${item.jobId} ${item.placementId}`}>
              <AttentionItem item={item} />
            </li>
          ))}
        </ul>
      )}
      {more > 0 && (
        <div className="more">
          <Link to="/jobs" search={{ failing: "yes" }}>
            {counted(more, "more thing")}: see the failing jobs
          </Link>
        </div>
      )}
    </Panel>
  );
}

function AttentionItem({ item }: { item: Item }) {
  return (
    <>
      <div className="row attention-head">
        <StateStatus words={SEVERITY_WORDS} state={item.severity} />
        {item.since !== null && (
          <span className="muted">
            since <Ago at={item.since} />
          </span>
        )}
        <Subject item={item} />
      </div>
      <p>{item.sentence}</p>
      {item.command !== null && <CommandLine command={item.command} />}
    </>
  );
}

function Subject({ item: { jobId, placementId, organizationId, region } }: { item: Item }) {
  if (jobId !== null)
    return (
      <Link to="/jobs" search={{ job: jobId }}>
        Job
      </Link>
    );
  if (placementId !== null)
    return (
      <Link to="/placements/$id" params={{ id: placementId }}>
        Placement
      </Link>
    );
  if (organizationId !== null)
    return (
      <Link to="/organizations/$id" params={{ id: organizationId }}>
        Organization
      </Link>
    );
  if (region === null) return null;
  return (
    <Link to="/regions" search={{ region: region.key }}>
      Region {region.key}
    </Link>
  );
}
