/** Placements that are on their way now; nothing where there are none. */
import { Link } from "@tanstack/react-router";
import { graphql, type ResultOf } from "../../api/graphql.ts";
import { POLL_MS, useRead } from "../../api/use-api.ts";
import { count, UNKNOWN } from "../../ui/format.ts";
import { Panel } from "../../ui/page.tsx";
import { Status } from "../../ui/status.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { Ago } from "../../ui/time.tsx";
import { endOf, MOVE, STEP_WORDS } from "../placement/move-data.ts";

const MOVES = graphql(
  `
  query MovesUnderWay {
    placements(first: 20, state: MOVING) {
      edges {
        node { id organization { id name } move { ...Move } }
      }
    }
  }
`,
  [MOVE],
);

type Row = ResultOf<typeof MOVES>["placements"]["edges"][number]["node"];

export function Moves() {
  const { data } = useRead("placements", MOVES, {}, { pollMs: POLL_MS });
  const rows = data?.data.placements.edges.map(({ node }) => node) ?? [];
  if (rows.length === 0) return null;
  return (
    <Panel title="Moves under way" flush>
      <Table label="Moves under way" rows={rows} rowKey={({ id }) => id} columns={COLUMNS} />
    </Panel>
  );
}

const COLUMNS: readonly Column<Row>[] = [
  {
    name: "Step",
    kind: "tight",
    cell: ({ move }) =>
      move === null ? <Status tone="busy">Moving</Status> : <Status tone="busy">{STEP_WORDS[move.step]}</Status>,
  },
  {
    name: "Organization",
    cell: ({ id, organization }) => (
      <Link to="/placements/$id" params={{ id }}>
        {organization.name}
      </Link>
    ),
  },
  { name: "From", cell: ({ move }) => (move === null ? UNKNOWN : endOf(move.from)) },
  { name: "To", cell: ({ move }) => (move === null ? UNKNOWN : endOf(move.to)) },
  {
    name: "Rows",
    kind: "number",
    cell: ({ move }) => (move === null ? UNKNOWN : `${count(move.rowsCopied)} of ${count(move.rowsTotal)}`),
  },
  { name: "Begun", kind: "tight", cell: ({ move }) => <Ago at={move?.startedAt} /> },
];
