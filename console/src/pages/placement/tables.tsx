/** Where each table lies, what of it leaves the region, and how much there is. Counted in the region, when asked. */
import { graphql } from "../../api/graphql.ts";
import { LIVE_POLL_MS, useRead } from "../../api/use-api.ts";
import { bytes, count, UNKNOWN } from "../../ui/format.ts";
import { Panel } from "../../ui/page.tsx";
import { Empty, Loaded, Notice } from "../../ui/states.tsx";
import { Table } from "../../ui/table.tsx";

const CONTENT = graphql(`
  query PlacementContent($id: ID!) {
    placement(id: $id) {
      content {
        problem
        tables { name flows columns rows isExact bytes }
      }
    }
  }
`);

export function Tables({ id, region }: { id: string; region: string }) {
  const reading = useRead("content", CONTENT, { id }, { pollMs: LIVE_POLL_MS });
  return (
    <Panel title="Tables" note={`they lie in ${region}`} flush>
      <Loaded reading={reading}>
        {({ placement }) => {
          if (placement === null) return null;
          const { problem, tables } = placement.content;
          return (
            <>
              {problem !== null && <Notice tone="warn">{problem}</Notice>}
              {tables.length === 0 ? (
                <Empty title="No table is there yet" />
              ) : (
                <Table
                  label="Tables"
                  rows={tables}
                  rowKey={({ name }) => name}
                  columns={[
                    { name: "Table", cell: ({ name }) => <code>{name}</code> },
                    { name: "Lies", cell: ({ flows }) => placeWord(flows, region) },
                    {
                      name: "Columns that cross",
                      kind: "sentence",
                      cell: ({ columns }) =>
                        columns.length === 0 ? <span className="muted">none</span> : <code>{columns.join(", ")}</code>,
                    },
                    {
                      name: "Rows",
                      kind: "number",
                      cell: ({ rows, isExact }) =>
                        rows === null ? UNKNOWN : `${isExact ? "" : "about "}${count(rows)}`,
                    },
                    { name: "Bytes", kind: "number", cell: (table) => bytes(table.bytes) },
                  ]}
                />
              )}
            </>
          );
        }}
      </Loaded>
    </Panel>
  );
}

function placeWord(flows: string, region: string): string {
  if (flows === "catalog") return `In ${region}; some columns also at home`;
  if (flows === "directory") return `At home, and a copy in ${region}`;
  return `In ${region} only`;
}
