/** What may cross, by the declarations that the publications are made of. */
import { graphql } from "../../api/graphql.ts";
import { useRead } from "../../api/use-api.ts";
import { count, counted } from "../../ui/format.ts";
import { Panel } from "../../ui/page.tsx";
import { Empty, Loaded, Notice } from "../../ui/states.tsx";
import { Table } from "../../ui/table.tsx";
import { directionWord } from "../links/link-columns.tsx";

const MAY_CROSS = graphql(`
  query BorderMayCross {
    border {
      mayCross { direction from into columns filter changes schemaVersions databases }
      newerDatabases
    }
  }
`);

export function Allowed() {
  const reading = useRead("border", MAY_CROSS, {});
  return (
    <Loaded reading={reading}>
      {({ border: { mayCross, newerDatabases } }) => (
        <>
          {newerDatabases > 0 && (
            <Notice tone="warn">
              {counted(newerDatabases, "tenant database")} of a newer schema version: what may cross there is known to
              the newer program only.
            </Notice>
          )}
          <Panel title="What may cross" note="nothing else does" flush>
            {mayCross.length === 0 ? (
              <Empty title="No tenant database is there yet" />
            ) : (
              <Table
                label="What may cross"
                rows={mayCross}
                rowKey={({ direction, from, schemaVersions }) => `${direction} ${from} ${schemaVersions.join()}`}
                columns={[
                  { name: "Carries", cell: ({ direction }) => directionWord(direction) },
                  { name: "From", cell: ({ from }) => <code>{from}</code> },
                  { name: "Into", cell: ({ into }) => <code>{into}</code> },
                  {
                    name: "Columns",
                    kind: "sentence",
                    cell: ({ columns }) => <code>{columns.join(", ")}</code>,
                  },
                  { name: "Rows", cell: ({ filter }) => <code>{filter}</code> },
                  { name: "Changes", cell: ({ changes }) => changes.join(", ").toLowerCase() },
                  { name: "Schema versions", cell: ({ schemaVersions }) => schemaVersions.join(", ") },
                  { name: "Databases", kind: "number", cell: ({ databases }) => count(databases) },
                ]}
              />
            )}
          </Panel>
        </>
      )}
    </Loaded>
  );
}
