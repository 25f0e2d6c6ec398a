/** Takes an organization's access to a region away: says what goes, asks for its name, and shows how far it is. */
import { useState } from "react";
import { graphql } from "../../api/graphql.ts";
import { useChange, useRead } from "../../api/use-api.ts";
import { ConfirmDialog } from "../../ui/confirm.tsx";
import { CheckField } from "../../ui/fields.tsx";
import { JobProgress } from "../jobs/job-progress.tsx";
import type { PlacementData } from "./placement.tsx";

const PLAN = graphql(`
  query RevocationPlan($placementId: ID!) {
    plan: revocationPlan(placementId: $placementId) { what sentences obstacles confirm }
  }
`);

const REVOKE = graphql(`
  mutation RevokeRegionAccess($input: RevokeRegionAccessInput!) {
    revokeRegionAccess(input: $input) { id state dropAfter }
  }
`);

export function Revoke({ placement, onClose }: { placement: PlacementData; onClose: () => void }) {
  const { id, organization, region } = placement;
  const [exportFirst, setExportFirst] = useState(false);
  const [skipGrace, setSkipGrace] = useState(false);
  const plan = useRead("plans", PLAN, { placementId: id });
  const { mutateAsync } = useChange(REVOKE, ["placements", "organizations", "jobs", "overview"]);
  return (
    <ConfirmDialog
      title={`Revoke access of ${organization.name} to ${region.key}`}
      verb="Revoke access"
      plan={plan}
      isOpen
      onClose={onClose}
      onConfirm={(confirm) => mutateAsync({ input: { placementId: id, confirm, exportFirst, skipGrace } })}
      options={
        <>
          <CheckField
            label="Export everything first, to the export folder"
            isChecked={exportFirst}
            onChange={setExportFirst}
          />
          <CheckField
            label="Drop at once, without the 7 days in which it can be resumed"
            isChecked={skipGrace}
            onChange={setSkipGrace}
          />
        </>
      }
      progress={<JobProgress placementId={id} />}
    />
  );
}
