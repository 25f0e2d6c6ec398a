/** A move that is under way: its steps, how much is copied, how long writes were held, and until when it can go back. */
import { useState } from "react";
import { graphql } from "../../api/graphql.ts";
import { useChange } from "../../api/use-api.ts";
import { useViewer } from "../../api/viewer.ts";
import { Dialog } from "../../ui/dialog.tsx";
import { TextField } from "../../ui/fields.tsx";
import { bytes, count, UNKNOWN } from "../../ui/format.ts";
import { Meter, Meters } from "../../ui/meter.tsx";
import { Facts, Panel } from "../../ui/page.tsx";
import { Failure, Notice } from "../../ui/states.tsx";
import { Status } from "../../ui/status.tsx";
import { Ago, Moment } from "../../ui/time.tsx";
import { endOf, type MoveData, STEP_WORDS, WAY } from "./move-data.ts";
import type { PlacementData } from "./placement.tsx";
import "./move.css";

const CANCEL_MOVE = graphql(`
  mutation CancelMove($placementId: ID!) {
    cancelMove(placementId: $placementId) { id state }
  }
`);

export function MovePanel({ placement, move }: { placement: PlacementData; move: MoveData }) {
  const { readOnly } = useViewer();
  const [isCancelling, setCancelling] = useState(false);
  const { cancelledAt, step, isSwitched } = move;
  const mayCancel =
    !readOnly &&
    placement.organization.viewerMay.includes("MANAGE_PLACEMENTS") &&
    cancelledAt === null &&
    step !== "CLEANING";
  return (
    <Panel
      title="Move"
      note={`from ${endOf(move.from)} to ${endOf(move.to)}`}
      actions={
        mayCancel && (
          <button type="button" className="button" onClick={() => setCancelling(true)}>
            {isSwitched ? "Go back" : "Call off"}
          </button>
        )
      }
    >
      <div className="stack">
        {cancelledAt !== null && (
          <Notice tone="warn">
            It was called off <Ago at={cancelledAt} />.{" "}
            {isSwitched ? "It goes back." : "The placement stays where it was."}
          </Notice>
        )}
        <Way move={move} />
        <Meters>
          <Meter
            name="Rows copied"
            used={move.rowsCopied}
            limit={Math.max(move.rowsTotal ?? move.rowsCopied, move.rowsCopied, 1)}
            isProgress
          />
        </Meters>
        <Facts rows={factsOf(move)} />
        <Findings list={move.findings} />
      </div>
      {isCancelling && <CancelDialog placement={placement} move={move} onClose={() => setCancelling(false)} />}
    </Panel>
  );
}

/** Where it is, of all that is before it. */
function Way({ move: { step, isSwitched } }: { move: MoveData }) {
  const at = WAY.findIndex((one) => one === step);
  const isOnWay = at !== -1;
  return (
    <ol className="move-way">
      {WAY.map((one, index) => (
        <li key={one} aria-current={one === step ? "step" : undefined}>
          <Status tone={one === step ? "busy" : (isOnWay ? index < at : isSwitched) ? "ok" : "off"}>
            {STEP_WORDS[one]}
          </Status>
        </li>
      ))}
      {!isOnWay && (
        <li aria-current="step">
          <Status tone={step === "KEEPING_SOURCE" ? "rest" : "busy"}>{STEP_WORDS[step]}</Status>
        </li>
      )}
    </ol>
  );
}

function factsOf(move: MoveData): [string, React.ReactNode][] {
  const { startedAt, bytesCopied, lagBytes, heldWritesMs, verifiedAt, keepUntil } = move;
  return [
    ["Begun", <Ago key="begun" at={startedAt} />],
    ["Copied", bytes(bytesCopied)],
    ["Yet to arrive", lagBytes === null ? UNKNOWN : bytes(lagBytes)],
    ["Writes held", heldWritesMs === null ? "not yet" : `${count(heldWritesMs)} ms`],
    ["Found equal", verifiedAt === null ? "not yet" : <Moment key="equal" at={verifiedAt} />],
    [
      "Way back",
      keepUntil === null ? (
        move.isSwitched ? (
          "none: the source is not kept"
        ) : (
          "it can be called off"
        )
      ) : (
        <span key="until">
          until <Moment at={keepUntil} />
        </span>
      ),
    ],
  ];
}

/** What was found, in sentences. `title`: left out where they stand for themselves. */
export function Findings({ list }: { list: readonly string[] }) {
  if (list.length === 0) return null;
  return (
    <ul className="sentences" aria-label="Findings">
      {list.map((sentence) => (
        <li key={sentence}>{sentence}</li>
      ))}
    </ul>
  );
}

type CancelProps = { placement: PlacementData; move: MoveData; onClose: () => void };

function CancelDialog({ placement: { id, organization }, move, onClose }: CancelProps) {
  const [typed, setTyped] = useState("");
  const { mutateAsync, isPending, error } = useChange(CANCEL_MOVE, ["placements", "organizations", "jobs", "overview"]);
  const mayAct = typed === organization.name && !isPending;
  const { isSwitched, from } = move;
  return (
    <Dialog
      title={isSwitched ? `Move ${organization.name} back` : `Call off the move of ${organization.name}`}
      isOpen
      onClose={onClose}
    >
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (mayAct) void mutateAsync({ placementId: id }).then(onClose, () => undefined);
        }}
      >
        <p>
          {isSwitched
            ? `It goes back to ${endOf(from)}, with everything that was written since. Writes wait for a moment.`
            : `It stays in ${endOf(from)}. What was copied is removed.`}
        </p>
        <TextField label={`Type ${organization.name} to go on`} value={typed} onChange={setTyped} isMono />
        {error !== null && <Failure error={error} />}
        <div className="form-actions">
          <button type="button" className="button" onClick={onClose}>
            Let it go on
          </button>
          <button type="submit" className="button danger filled" disabled={!mayAct}>
            {isPending ? "At work …" : isSwitched ? "Go back" : "Call off"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
