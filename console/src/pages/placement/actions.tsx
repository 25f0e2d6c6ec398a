/** What can be done with a placement: try again, take back a revocation, move, revoke. */
import { useState } from "react";
import { graphql } from "../../api/graphql.ts";
import { useChange } from "../../api/use-api.ts";
import { useViewer } from "../../api/viewer.ts";
import { Failure } from "../../ui/states.tsx";
import { MoveDialog } from "./move.tsx";
import type { PlacementData } from "./placement.tsx";
import { Revoke } from "./revoke.tsx";

const SUBJECTS = ["placements", "organizations", "jobs", "overview"];

const RETRY = graphql(`
  mutation RetryPlacement($placementId: ID!) {
    retryPlacement(placementId: $placementId) { id state }
  }
`);

const RESUME = graphql(`
  mutation ResumeRegionAccess($placementId: ID!) {
    resumeRegionAccess(placementId: $placementId) { id state }
  }
`);

export function Actions({ placement }: { placement: PlacementData }) {
  const { readOnly } = useViewer();
  const [isRevoking, setRevoking] = useState(false);
  const [isMoving, setMoving] = useState(false);
  const retry = useChange(RETRY, SUBJECTS);
  const resume = useChange(RESUME, SUBJECTS);
  const { id, state, organization } = placement;
  if (readOnly || !organization.viewerMay.includes("MANAGE_PLACEMENTS")) return null;
  const error = retry.error ?? resume.error;
  return (
    <>
      {error !== null && <Failure error={error} />}
      {state === "FAILED" && (
        <button
          type="button"
          className="button primary"
          disabled={retry.isPending}
          onClick={() => retry.mutate({ placementId: id })}
        >
          Try again
        </button>
      )}
      {state === "SUSPENDED" && (
        <button
          type="button"
          className="button primary"
          disabled={resume.isPending}
          onClick={() => resume.mutate({ placementId: id })}
        >
          Resume
        </button>
      )}
      {state === "ACTIVE" && placement.move === null && (
        <button type="button" className="button" onClick={() => setMoving(true)}>
          Move
        </button>
      )}
      {state !== "REVOKING" && state !== "MOVING" && (
        <button type="button" className="button danger" onClick={() => setRevoking(true)}>
          Revoke access
        </button>
      )}
      {isMoving && <MoveDialog placement={placement} onClose={() => setMoving(false)} />}
      {isRevoking && <Revoke placement={placement} onClose={() => setRevoking(false)} />}
    </>
  );
}
