/** What the list of links and a placement's page show of a link alike. */
import type { LinkState } from "../../api/words.ts";
import { LINK_WORDS, StateStatus } from "../../ui/status.tsx";
import type { Column } from "../../ui/table.tsx";
import { Ago } from "../../ui/time.tsx";

type Shown = {
  direction: string;
  state: LinkState;
  carriedAt: string | null;
  waitingSince: string | null;
  failures: number;
  failure: string | null;
  problem: string | null;
};

const DIRECTIONS: Record<string, string> = {
  directory: "Members, to the region",
  catalog: "Catalog, to home",
};

export function directionWord(direction: string): string {
  return DIRECTIONS[direction] ?? direction;
}

export function linkColumns<Row extends Shown>(): Column<Row>[] {
  return [
    { name: "State", kind: "tight", cell: ({ state }) => <StateStatus words={LINK_WORDS} state={state} /> },
    { name: "Carries", cell: ({ direction }) => directionWord(direction) },
    { name: "Since", kind: "tight", cell: (row) => <Since row={row} /> },
    { name: "What is wrong", kind: "sentence", cell: (row) => <Wrong row={row} /> },
  ];
}

/** Since when it is in its state: parked or carried, or since when a change waits. */
function Since({ row: { state, carriedAt, waitingSince } }: { row: Shown }) {
  return <Ago at={state === "LATE" || state === "BROKEN" ? (waitingSince ?? carriedAt) : carriedAt} />;
}

function Wrong({ row: { failure, problem, failures } }: { row: Shown }) {
  const sentences = [...new Set([failure, problem].filter((one) => one !== null))];
  if (sentences.length === 0) return <span className="muted">nothing</span>;
  return (
    <>
      {sentences.map((sentence) => (
        <p key={sentence}>{sentence}</p>
      ))}
      {failures > 1 && <p className="muted">{failures} times in a row</p>}
    </>
  );
}
