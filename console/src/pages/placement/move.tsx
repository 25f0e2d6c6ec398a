/** Moves a placement: asks where to, looks ahead and says what it found, asks for the organization's name, and begins. */
import { useState } from "react";
import { graphql, type ResultOf } from "../../api/graphql.ts";
import { useChange, useRead } from "../../api/use-api.ts";
import { Dialog } from "../../ui/dialog.tsx";
import { CheckField, SelectField, TextField } from "../../ui/fields.tsx";
import { bytes, counted, duration } from "../../ui/format.ts";
import { Failure, Notice } from "../../ui/states.tsx";
import { Findings } from "./move-panel.tsx";
import type { PlacementData } from "./placement.tsx";

const REGIONS = graphql(`
  query MoveTargets {
    regions { key name }
  }
`);

const MOVE_PLACEMENT = graphql(`
  mutation MovePlacement($input: MovePlacementInput!) {
    movePlacement(input: $input) {
      id
      state
      move { findings obstacles rowsTotal bytesTotal estimateSeconds }
    }
  }
`);

type Plan = NonNullable<ResultOf<typeof MOVE_PLACEMENT>["movePlacement"]["move"]>;
type Wish = { regionKey: string; isolation: "DEDICATED" | "SHARED"; keepSourceSeconds: number; through: boolean };

const KEPT = [
  { value: "0", name: "Not at all" },
  { value: "3600", name: "1 hour" },
  { value: "86400", name: "1 day" },
  { value: "172800", name: "2 days" },
  { value: "604800", name: "7 days" },
] as const;

const ISOLATIONS = [
  { value: "DEDICATED", name: "Dedicated: a database of its own" },
  { value: "SHARED", name: "Shared: in the region's shared database" },
] as const;

export function MoveDialog({ placement, onClose }: { placement: PlacementData; onClose: () => void }) {
  const { id, organization, region, isolation } = placement;
  const [wish, setWish] = useState<Wish>({ regionKey: region.key, isolation, keepSourceSeconds: 0, through: false });
  const look = useChange(MOVE_PLACEMENT, []);
  const begin = useChange(MOVE_PLACEMENT, ["placements", "organizations", "jobs", "overview"]);
  const plan = look.data?.data.movePlacement.move ?? undefined;
  // What was found is about what was asked for.
  const change = (part: Partial<Wish>) => {
    setWish({ ...wish, ...part });
    look.reset();
    begin.reset();
  };
  const send = (dryRun: boolean) => ({ input: { placementId: id, ...wish, dryRun } });
  const isSame = wish.regionKey === region.key && wish.isolation === isolation;
  return (
    <Dialog title={`Move ${organization.name}`} isOpen onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (!isSame && plan === undefined) look.mutate(send(true));
        }}
      >
        <p>
          It is in region {region.key} now,{" "}
          {isolation === "SHARED" ? "in the shared database" : "in a database of its own"}. It is used while it moves:
          reads never stop, and writes wait for a moment.
        </p>
        <Choices wish={wish} onChange={change} isFar={wish.regionKey !== region.key} />
        {look.error !== null && <Failure error={look.error} />}
        {plan === undefined ? (
          <div className="form-actions">
            <button type="button" className="button" onClick={onClose}>
              Keep it here
            </button>
            <button type="submit" className="button primary" disabled={isSame || look.isPending}>
              {look.isPending ? "Looking …" : "Look ahead"}
            </button>
          </div>
        ) : (
          <Ahead
            plan={plan}
            name={organization.name}
            isPending={begin.isPending}
            error={begin.error}
            onClose={onClose}
            onBegin={() => void begin.mutateAsync(send(false)).then(onClose, () => undefined)}
          />
        )}
      </form>
    </Dialog>
  );
}

type ChoicesProps = { wish: Wish; onChange: (part: Partial<Wish>) => void; isFar: boolean };

function Choices({ wish, onChange, isFar }: ChoicesProps) {
  const { data } = useRead("regions", REGIONS, {});
  const regions = data?.data.regions ?? [];
  return (
    <>
      <SelectField
        label="To region"
        value={wish.regionKey}
        choices={regions.map(({ key, name }) => ({ value: key, name: `${key} (${name})` }))}
        onChange={(regionKey) => regionKey !== undefined && onChange({ regionKey })}
      />
      <SelectField
        label="Isolation"
        value={wish.isolation}
        choices={ISOLATIONS}
        onChange={(isolation) => isolation !== undefined && onChange({ isolation })}
      />
      <SelectField
        label="Keep the source"
        value={String(wish.keepSourceSeconds)}
        choices={KEPT}
        hint={
          isFar
            ? "For that time it can go back, and new data is written into the old region too. Between jurisdictions keep none."
            : "For that time it can go back with what was written since."
        }
        onChange={(text) => onChange({ keepSourceSeconds: Number(text ?? "0") })}
      />
      <CheckField
        label="Content may pass a worker that works for neither region"
        isChecked={wish.through}
        onChange={(through) => onChange({ through })}
      />
    </>
  );
}

type AheadProps = {
  plan: Plan;
  name: string;
  isPending: boolean;
  error: unknown;
  onClose: () => void;
  onBegin: () => void;
};

function Ahead({ plan, name, isPending, error, onClose, onBegin }: AheadProps) {
  const [typed, setTyped] = useState("");
  const { obstacles, findings, rowsTotal, bytesTotal, estimateSeconds } = plan;
  const isBlocked = obstacles.length > 0;
  return (
    <>
      {rowsTotal !== null && (
        <p>
          About {counted(rowsTotal, "row")}, {bytes(bytesTotal)}. It may take {duration(estimateSeconds)}.
        </p>
      )}
      {isBlocked && (
        <Notice tone="bad">
          <p>It cannot be moved now:</p>
          <Findings list={obstacles} />
        </Notice>
      )}
      <Findings list={findings.filter((one) => !obstacles.includes(one))} />
      {!isBlocked && <TextField label={`Type ${name} to go on`} value={typed} onChange={setTyped} isMono />}
      {error !== null && <Failure error={error} />}
      <div className="form-actions">
        <button type="button" className="button" onClick={onClose}>
          Keep it here
        </button>
        {!isBlocked && (
          <button type="button" className="button primary" disabled={typed !== name || isPending} onClick={onBegin}>
            {isPending ? "At work …" : "Move it"}
          </button>
        )}
      </div>
    </>
  );
}
