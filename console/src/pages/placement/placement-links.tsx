/** A placement's two links, and what waited on each while the page was open. */
import { lazy, Suspense } from "react";
import { useHistory } from "../../api/history.ts";
import { bytes, count, duration } from "../../ui/format.ts";
import { Panel } from "../../ui/page.tsx";
import { Empty, Loading } from "../../ui/states.tsx";
import { Table } from "../../ui/table.tsx";
import { directionWord, linkColumns } from "../links/link-columns.tsx";
import type { PlacementData } from "./placement.tsx";

const Series = lazy(async () => ({ default: (await import("../../ui/series.tsx")).Series }));

type LinkRow = PlacementData["links"][number];

/** `atMs`: when the links were read. */
export function PlacementLinks({ id, links, atMs }: { id: string; links: readonly LinkRow[]; atMs: number }) {
  const lags = Object.fromEntries(links.map(({ direction, lagSeconds }) => [directionWord(direction), lagSeconds]));
  const { times, values } = useHistory(`placement-${id}`, atMs, lags);
  if (links.length === 0)
    return (
      <Panel title="Links" flush>
        <Empty title="No link yet">
          <p>They are made with the database.</p>
        </Empty>
      </Panel>
    );
  return (
    <Panel title="Links" note="the lines are noted while this page is open" flush>
      <Table
        label="Links"
        rows={links}
        rowKey={({ direction }) => direction}
        columns={[
          ...linkColumns<LinkRow>(),
          { name: "Lag in bytes", kind: "number", cell: ({ lagBytes }) => bytes(lagBytes) },
          { name: "WAL kept", kind: "number", cell: ({ walBytes }) => bytes(walBytes) },
          { name: "Waits", kind: "number", cell: ({ lagSeconds }) => duration(lagSeconds) },
          { name: "Wakes", kind: "number", cell: ({ wakes }) => count(wakes) },
          { name: "Reseeds", kind: "number", cell: ({ seeds }) => count(Math.max(0, seeds - 1)) },
        ]}
      />
      <div className="panel-body">
        <Suspense fallback={<Loading />}>
          <Series
            label="How long the oldest change has waited"
            times={times}
            lines={Object.entries(values).map(([name, line]) => ({ name, values: line }))}
            format={(value) => duration(value)}
            height={140}
          />
        </Suspense>
      </div>
    </Panel>
  );
}
