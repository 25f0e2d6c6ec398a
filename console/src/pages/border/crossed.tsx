/** What crossed by day: as bars, and in numbers for each table of each database. */
import { lazy, Suspense } from "react";
import { graphql, type ResultOf } from "../../api/graphql.ts";
import { LIVE_POLL_MS, useRead } from "../../api/use-api.ts";
import { usePages } from "../../api/use-pages.ts";
import { bytes, count } from "../../ui/format.ts";
import { List } from "../../ui/list.tsx";
import { Panel } from "../../ui/page.tsx";
import { Empty, Loaded, Loading } from "../../ui/states.tsx";
import { Ago } from "../../ui/time.tsx";
import { directionWord } from "../links/link-columns.tsx";

const Series = lazy(async () => ({ default: (await import("../../ui/series.tsx")).Series }));

const DAYS = graphql(`
  query BorderDays($days: Int!, $regionKey: String) {
    border {
      days(days: $days, regionKey: $regionKey) { day regionKey direction rows bytes }
    }
  }
`);

const CROSSED = graphql(`
  query BorderCrossed($first: Int, $after: String, $regionKey: String) {
    border {
      crossed(first: $first, after: $after, regionKey: $regionKey) {
        edges { node { day database regionKey toRegionKey direction table way rows bytes lastAt } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
`);

type Day = ResultOf<typeof DAYS>["border"]["days"][number];

export function Crossed({ region, days }: { region: string | undefined; days: number }) {
  const regionKey = region ?? null;
  const reading = useRead("border", DAYS, { days, regionKey }, { pollMs: LIVE_POLL_MS });
  const pages = usePages("border", CROSSED, { regionKey }, ({ border }) => border.crossed, { pollMs: LIVE_POLL_MS });
  return (
    <>
      <Loaded reading={reading}>{({ border }) => <Bars days={border.days} span={days} />}</Loaded>
      <Panel title="By table" note="sums of a day, newest first" flush>
        <List
          label="What crossed, by table"
          noun="sum"
          pages={pages}
          rowKey={(row) => [row.day, row.database, row.direction, row.toRegionKey, row.table, row.way].join(" ")}
          columns={[
            { name: "Day", kind: "tight", cell: ({ day }) => day },
            { name: "Region", cell: ({ regionKey: key, toRegionKey: to }) => (to === null ? key : `${key} to ${to}`) },
            { name: "Database", cell: ({ database }) => <code>{database}</code> },
            { name: "Carries", cell: ({ direction }) => directionWord(direction) },
            { name: "Table", cell: ({ table }) => <code>{table}</code> },
            { name: "Way", cell: ({ way }) => (way === "seed" ? "copied" : "as it changed") },
            { name: "Rows", kind: "number", cell: ({ rows }) => count(rows) },
            { name: "Bytes", kind: "number", cell: (row) => bytes(row.bytes) },
            { name: "Last", kind: "tight", cell: ({ lastAt }) => <Ago at={lastAt} /> },
          ]}
          empty={
            <Empty title="Nothing has crossed">
              <p>Rows cross when members or catalog columns of a placed organization change.</p>
            </Empty>
          }
        />
      </Panel>
    </>
  );
}

const DAY_SECONDS = 86_400;

/** Days on which nothing crossed have no row: they are bars of no height. */
function barsOf(days: readonly Day[], span: number) {
  const today = Math.floor(Date.now() / 1_000 / DAY_SECONDS) * DAY_SECONDS;
  const times = Array.from({ length: span }, (_, index) => today - (span - 1 - index) * DAY_SECONDS);
  const sums = (direction: string) =>
    times.map((time) => {
      const day = new Date(time * 1_000).toISOString().slice(0, 10);
      return days
        .filter((one) => one.day === day && one.direction === direction)
        .reduce((sum, { rows }) => sum + rows, 0);
    });
  return { times, toRegion: sums("directory"), toHome: sums("catalog"), moved: sums("move") };
}

function Bars({ days, span }: { days: readonly Day[]; span: number }) {
  const { times, toRegion, toHome, moved } = barsOf(days, span);
  const total = (values: readonly number[]) => count(values.reduce((sum, value) => sum + value, 0));
  return (
    <div className="grid">
      {(
        [
          ["Rows to home", "catalog columns", toHome],
          ["Rows to the regions", "members of placed organizations", toRegion],
          // Most days have none.
          ...(moved.some((rows) => rows > 0)
            ? [["Rows between databases", "of placements that moved", moved] as const]
            : []),
        ] as const
      ).map(([title, note, values]) => (
        <Panel key={title} title={title} note={`${total(values)} in ${span} days: ${note}`}>
          <Suspense fallback={<Loading />}>
            <Series
              label={`${title} by day`}
              times={times}
              lines={[{ name: "Rows", values }]}
              format={count}
              height={140}
              bars
            />
          </Suspense>
        </Panel>
      ))}
    </div>
  );
}
