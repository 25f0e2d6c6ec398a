/** Attempts at the gateway that were refused, newest first. */
import { graphql } from "../../api/graphql.ts";
import { POLL_MS } from "../../api/use-api.ts";
import { usePages } from "../../api/use-pages.ts";
import { count, sentenceCase, UNKNOWN } from "../../ui/format.ts";
import { List } from "../../ui/list.tsx";
import { Panel } from "../../ui/page.tsx";
import { Empty } from "../../ui/states.tsx";
import { Ago } from "../../ui/time.tsx";
import { directionWord } from "../links/link-columns.tsx";

const REFUSED = graphql(`
  query BorderRefused($first: Int, $after: String) {
    border {
      refused(first: $first, after: $after) {
        edges { node { id firstAt lastAt attempts address database direction user code sentence } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
`);

export function Refused() {
  const pages = usePages("border", REFUSED, {}, ({ border }) => border.refused, { pollMs: POLL_MS });
  return (
    <Panel title="Refused attempts" note="they are kept and never changed" flush>
      <List
        label="Refused attempts"
        noun="refusal"
        pages={pages}
        rowKey={({ id }) => id}
        columns={[
          { name: "Last", kind: "tight", cell: ({ lastAt }) => <Ago at={lastAt} /> },
          { name: "First", kind: "tight", cell: ({ firstAt }) => <Ago at={firstAt} /> },
          { name: "Reason", cell: ({ code }) => sentenceCase(code) },
          { name: "What happened", kind: "sentence", cell: ({ sentence }) => sentence },
          { name: "Attempts", kind: "number", cell: ({ attempts }) => count(attempts) },
          { name: "From", cell: ({ address }) => (address === null ? UNKNOWN : <code>{address}</code>) },
          { name: "Gave the name", cell: ({ user }) => (user === null ? UNKNOWN : <code>{user}</code>) },
          { name: "Database", cell: ({ database }) => (database === null ? UNKNOWN : <code>{database}</code>) },
          { name: "Carries", cell: ({ direction }) => (direction === null ? UNKNOWN : directionWord(direction)) },
        ]}
        empty={
          <Empty title="Nothing was refused">
            <p>An attempt stands here when it shows a wrong password or sends what is not listed.</p>
          </Empty>
        }
      />
    </Panel>
  );
}
