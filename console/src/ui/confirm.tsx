/**
 * An action that takes something away: says what goes, asks for the name, and shows how far it is. The sentences come
 * from the API (an ActionPlan), which looks at what is there now.
 */
import { type ReactNode, useState } from "react";
import type { Reading } from "../api/use-api.ts";
import { Dialog } from "./dialog.tsx";
import { TextField } from "./fields.tsx";
import { Failure, Loaded } from "./states.tsx";

export type Plan = { what: string; sentences: string[]; obstacles: string[]; confirm: string };

export type ConfirmProps = {
  title: string;
  /** What the button says that does it: a verb, and what it is done to. */
  verb: string;
  plan: Reading<{ plan: Plan }>;
  isOpen: boolean;
  onClose: () => void;
  /** Does it, with what was typed. */
  onConfirm: (typed: string) => Promise<unknown>;
  /** Choices before it is done, such as to export first. */
  options?: ReactNode;
  /** After it was begun: what happens, as it happens. Left out: the dialog ends. */
  progress?: ReactNode;
};

export function ConfirmDialog(props: ConfirmProps) {
  const { title, plan, isOpen, onClose } = props;
  return (
    <Dialog title={title} isOpen={isOpen} onClose={onClose}>
      <Loaded reading={plan}>{(data) => <Confirmation {...props} what={data.plan} />}</Loaded>
    </Dialog>
  );
}

type Stage = { is: "asking" } | { is: "at work" } | { is: "begun" } | { is: "refused"; error: unknown };

function Confirmation({ what, verb, onClose, onConfirm, options, progress }: ConfirmProps & { what: Plan }) {
  const [typed, setTyped] = useState("");
  const [stage, setStage] = useState<Stage>({ is: "asking" });
  if (stage.is === "begun" && progress !== undefined) return <Begun onClose={onClose}>{progress}</Begun>;
  const act = async () => {
    setStage({ is: "at work" });
    try {
      await onConfirm(typed);
      if (progress === undefined) onClose();
      setStage({ is: "begun" });
    } catch (error) {
      setStage({ is: "refused", error });
    }
  };
  const mayAct = what.obstacles.length === 0 && typed === what.confirm && stage.is !== "at work";
  return (
    <form
      className="form"
      onSubmit={(event) => {
        event.preventDefault();
        if (mayAct) void act();
      }}
    >
      <p>{what.what}</p>
      <Sentences list={what.sentences} />
      {what.obstacles.length > 0 && (
        <div className="notice bad">
          <div>
            <p>It cannot be done now:</p>
            <Sentences list={what.obstacles} />
          </div>
        </div>
      )}
      {options}
      <TextField label={`Type ${what.confirm} to go on`} value={typed} onChange={setTyped} isMono />
      {stage.is === "refused" && <Failure error={stage.error} />}
      <div className="form-actions">
        <button type="button" className="button" onClick={onClose}>
          Keep it
        </button>
        <button type="submit" className="button danger filled" disabled={!mayAct}>
          {stage.is === "at work" ? "At work …" : verb}
        </button>
      </div>
    </form>
  );
}

function Begun({ onClose, children }: { onClose: () => void; children: ReactNode }) {
  return (
    <div className="stack" role="status">
      {children}
      <div className="form-actions">
        <button type="button" className="button" onClick={onClose}>
          Close
        </button>
      </div>
    </div>
  );
}

function Sentences({ list }: { list: readonly string[] }) {
  return (
    <ul className="sentences">
      {list.map((sentence) => (
        <li key={sentence}>{sentence}</li>
      ))}
    </ul>
  );
}
