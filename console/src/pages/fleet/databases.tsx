/** Each tenant database with its version. */
import { graphql } from "../../api/graphql.ts";
import { usePages } from "../../api/use-pages.ts";
import { usePollMs } from "../../shell/live.tsx";
import { CheckField } from "../../ui/fields.tsx";
import { UNKNOWN } from "../../ui/format.ts";
import { List } from "../../ui/list.tsx";
import { Panel } from "../../ui/page.tsx";
import { Empty } from "../../ui/states.tsx";
import { Status } from "../../ui/status.tsx";
import { Ago } from "../../ui/time.tsx";

const DATABASES = graphql(`
  query FleetDatabases($first: Int, $after: String, $behind: Boolean, $failed: Boolean) {
    fleet {
      databases(first: $first, after: $after, behind: $behind, failed: $failed) {
        edges { node { database region { key } version migratingTo migratedAt failure failedAt } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
`);

type Filters = { behind: "yes" | undefined; failed: "yes" | undefined };
type Props = Filters & { onChange: (values: Partial<Filters>) => void };

export function Databases({ behind, failed, onChange }: Props) {
  const pages = usePages(
    "fleet",
    DATABASES,
    { behind: behind !== undefined, failed: failed !== undefined },
    ({ fleet }) => fleet.databases,
    { pollMs: usePollMs() },
  );
  const isFiltered = behind !== undefined || failed !== undefined;
  return (
    <Panel
      title="Tenant databases"
      flush
      actions={
        <>
          <CheckField
            label="Only those behind"
            isChecked={behind !== undefined}
            onChange={(isChecked) => onChange({ behind: isChecked ? "yes" : undefined })}
          />
          <CheckField
            label="Only those that failed"
            isChecked={failed !== undefined}
            onChange={(isChecked) => onChange({ failed: isChecked ? "yes" : undefined })}
          />
        </>
      }
    >
      <List
        label="Tenant databases"
        noun="database"
        pages={pages}
        rowKey={({ database }) => database}
        columns={[
          { name: "Database", cell: ({ database }) => <code>{database}</code> },
          { name: "Region", cell: ({ region }) => region?.key ?? UNKNOWN },
          {
            name: "State",
            kind: "tight",
            cell: (row) => <State {...row} />,
          },
          { name: "Version", kind: "number", cell: ({ version }) => version ?? UNKNOWN },
          { name: "Migrated", kind: "tight", cell: ({ migratedAt }) => <Ago at={migratedAt} /> },
          { name: "What went wrong", kind: "sentence", cell: ({ failure }) => failure ?? UNKNOWN },
        ]}
        empty={
          <Empty title={isFiltered ? "No database is so" : "There is no tenant database yet"}>
            <p>
              {isFiltered
                ? "All are at the newest version, or none has failed."
                : "Each grant of access to a region makes one, or takes a place in the shared one."}
            </p>
          </Empty>
        }
      />
    </Panel>
  );
}

type StateProps = { version: number | null; migratingTo: number | null; failure: string | null };

function State({ version, migratingTo, failure }: StateProps) {
  if (migratingTo !== null) return <Status tone="busy">To version {migratingTo} …</Status>;
  if (failure !== null) return <Status tone="bad">Failed</Status>;
  return version === null ? <Status tone="busy">Being made</Status> : <Status tone="ok">Well</Status>;
}
