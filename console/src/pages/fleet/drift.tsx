/** Whether tenant databases still have the schema of their version. It is looked at in the databases, so on demand only. */
import { useState } from "react";
import { graphql } from "../../api/graphql.ts";
import { useRead } from "../../api/use-api.ts";
import { counted, UNKNOWN } from "../../ui/format.ts";
import { Panel } from "../../ui/page.tsx";
import { Empty, Loaded } from "../../ui/states.tsx";
import { Status } from "../../ui/status.tsx";
import { Table } from "../../ui/table.tsx";
import { CommandLine } from "../../ui/copy.tsx";

const DRIFT = graphql(`
  query FleetDrift($first: Int, $after: String) {
    fleet {
      drift(first: $first, after: $after) {
        edges { node { database region { key } version differences } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
`);

/** As many as the API compares at once. */
const AT_ONCE = 20;

export function Drift() {
  const [cursors, setCursors] = useState<readonly (string | null)[]>([]);
  const isAsked = cursors.length > 0;
  return (
    <Panel
      title="Drift"
      note="each database compared with the schema of its version, now"
      flush
      actions={
        !isAsked && (
          <button type="button" className="button" onClick={() => setCursors([null])}>
            Compare the first {AT_ONCE}
          </button>
        )
      }
    >
      {isAsked ? (
        cursors.map((after, index) => (
          <Compared
            key={after ?? "first"}
            after={after}
            onMore={index === cursors.length - 1 ? (next) => setCursors((before) => [...before, next]) : undefined}
          />
        ))
      ) : (
        <Empty title="Not compared yet">
          <p>All databases at once:</p>
          <CommandLine command="tenantry doctor" />
        </Empty>
      )}
    </Panel>
  );
}

function Compared({ after, onMore }: { after: string | null; onMore: ((cursor: string) => void) | undefined }) {
  const reading = useRead("drift", DRIFT, { first: AT_ONCE, after });
  return (
    <Loaded reading={reading}>
      {({ fleet: { drift } }) => {
        const { hasNextPage, endCursor } = drift.pageInfo;
        return (
          <>
            <Table
              label="Drift"
              rows={drift.edges.map(({ node }) => node)}
              rowKey={({ database }) => database}
              columns={[
                { name: "Database", cell: ({ database }) => <code>{database}</code> },
                { name: "Region", cell: ({ region }) => region?.key ?? UNKNOWN },
                { name: "Version", kind: "number", cell: ({ version }) => version },
                {
                  name: "State",
                  kind: "tight",
                  cell: ({ differences }) =>
                    differences.length === 0 ? (
                      <Status tone="ok">As it should be</Status>
                    ) : (
                      <Status tone="bad">{counted(differences.length, "difference")}</Status>
                    ),
                },
                {
                  name: "Differences",
                  kind: "sentence",
                  cell: ({ differences }) => <Differences list={differences} />,
                },
              ]}
            />
            {hasNextPage && endCursor !== null && onMore !== undefined && (
              <div className="more">
                <button type="button" className="button" onClick={() => onMore(endCursor)}>
                  Compare {AT_ONCE} more
                </button>
              </div>
            )}
          </>
        );
      }}
    </Loaded>
  );
}

function Differences({ list }: { list: readonly string[] }) {
  if (list.length === 0) return <span className="muted">none</span>;
  return (
    <ul className="sentences">
      {list.map((sentence) => (
        <li key={sentence}>{sentence}</li>
      ))}
    </ul>
  );
}
