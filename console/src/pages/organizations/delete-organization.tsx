/** Ends an organization with its data in every region. */
import { useNavigate } from "@tanstack/react-router";
import { graphql } from "../../api/graphql.ts";
import { useChange, useRead } from "../../api/use-api.ts";
import { ConfirmDialog } from "../../ui/confirm.tsx";
import type { OrganizationData } from "./organization.tsx";

const PLAN = graphql(`
  query DeletionPlan($organizationId: ID!) {
    plan: organizationDeletionPlan(organizationId: $organizationId) { what sentences obstacles confirm }
  }
`);

const DELETE = graphql(`
  mutation DeleteOrganization($input: DeleteOrganizationInput!) {
    deleteOrganization(input: $input)
  }
`);

type Props = { organization: OrganizationData; onClose: () => void };

export function DeleteOrganization({ organization: { id, name }, onClose }: Props) {
  const navigate = useNavigate();
  const plan = useRead("organizations", PLAN, { organizationId: id });
  const { mutateAsync } = useChange(DELETE, ["organizations", "placements", "overview"]);
  return (
    <ConfirmDialog
      title={`Delete ${name}`}
      verb="Delete it for good"
      plan={plan}
      isOpen
      onClose={onClose}
      onConfirm={async (confirm) => {
        await mutateAsync({ input: { organizationId: id, confirm } });
        await navigate({ to: "/organizations" });
      }}
    />
  );
}
