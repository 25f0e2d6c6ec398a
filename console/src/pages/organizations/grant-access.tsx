/** Gives an organization a place in a region, and shows how it is made. */
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { graphql } from "../../api/graphql.ts";
import { useChange, useRead } from "../../api/use-api.ts";
import { Dialog } from "../../ui/dialog.tsx";
import { SelectField } from "../../ui/fields.tsx";
import { Empty, Failure, Loaded, Notice } from "../../ui/states.tsx";
import { JobProgress } from "../jobs/job-progress.tsx";
import type { OrganizationData } from "./organization.tsx";

const REGION_KEYS = graphql(`
  query RegionsToGrant {
    regions { key name }
  }
`);

const GRANT = graphql(`
  mutation GrantRegionAccess($input: GrantRegionAccessInput!) {
    grantRegionAccess(input: $input) { id state failure }
  }
`);

const ISOLATIONS = [
  { value: "DEDICATED", name: "A database of its own" },
  { value: "SHARED", name: "The region's shared database" },
] as const;
type Isolation = (typeof ISOLATIONS)[number]["value"];

type Props = { organization: OrganizationData; onClose: () => void };

export function GrantAccess({ organization, onClose }: Props) {
  const regions = useRead("regions", REGION_KEYS, {});
  const { mutate, data, error, isPending } = useChange(GRANT, ["organizations", "placements", "overview", "jobs"]);
  const granted = data?.data.grantRegionAccess;
  return (
    <Dialog title={`Grant ${organization.name} access to a region`} isOpen onClose={onClose}>
      {granted !== undefined ? (
        <Granted placement={granted} onClose={onClose} />
      ) : (
        <Loaded reading={regions}>
          {(all) => (
            <GrantForm
              regions={all.regions}
              taken={organization.placements.map(({ region }) => region.key)}
              isPending={isPending}
              error={error}
              onClose={onClose}
              onGrant={(regionKey, isolation) =>
                mutate({ input: { organizationId: organization.id, regionKey, isolation } })
              }
            />
          )}
        </Loaded>
      )}
    </Dialog>
  );
}

type FormProps = {
  regions: readonly { key: string; name: string }[];
  /** Keys of the regions that it has already. */
  taken: readonly string[];
  isPending: boolean;
  error: Error | null;
  onClose: () => void;
  onGrant: (regionKey: string, isolation: Isolation) => void;
};

function GrantForm({ regions, taken, isPending, error, onClose, onGrant }: FormProps) {
  const free = regions.filter(({ key }) => !taken.includes(key));
  const [chosen, setChosen] = useState<string>();
  const [isolation, setIsolation] = useState<Isolation>("DEDICATED");
  const regionKey = chosen ?? free[0]?.key;
  if (regionKey === undefined)
    return (
      <Empty title="There is no region left">
        {regions.length === 0 ? "Register a region first." : "It has a placement in every region."}
      </Empty>
    );
  return (
    <form
      className="form"
      onSubmit={(event) => {
        event.preventDefault();
        onGrant(regionKey, isolation);
      }}
    >
      <SelectField
        label="Region"
        value={regionKey}
        choices={free.map(({ key, name }) => ({ value: key, name: `${key}, ${name}` }))}
        onChange={setChosen}
      />
      <SelectField
        label="Isolation"
        hint="Both keep organizations apart by row-level security. It cannot be changed afterwards."
        value={isolation}
        choices={ISOLATIONS}
        onChange={(value) => setIsolation(value ?? "DEDICATED")}
      />
      {error !== null && <Failure error={error} />}
      <div className="form-actions">
        <button type="button" className="button" onClick={onClose}>
          Cancel
        </button>
        <button type="submit" className="button primary" disabled={isPending}>
          {isPending ? "At work …" : "Grant access"}
        </button>
      </div>
    </form>
  );
}

type Placement = { id: string; state: string; failure: string | null };

function Granted({ placement: { id, failure }, onClose }: { placement: Placement; onClose: () => void }) {
  return (
    <div className="stack">
      {failure !== null && <Notice tone="warn">{failure}</Notice>}
      <JobProgress placementId={id} />
      <div className="form-actions">
        <Link className="button" to="/placements/$id" params={{ id }}>
          See the placement
        </Link>
        <button type="button" className="button" onClick={onClose}>
          Close
        </button>
      </div>
    </div>
  );
}
