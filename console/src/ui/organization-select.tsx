/** Of which organization a page is. The operator gives its id, others choose among theirs. */
import { graphql } from "../api/graphql.ts";
import { useRead } from "../api/use-api.ts";
import { isOperator, useViewer } from "../api/viewer.ts";
import { FilterText, SelectField } from "./fields.tsx";

const OWN_ORGANIZATIONS = graphql(`
  query OwnOrganizations {
    organizations(first: 100) {
      edges { node { id name } }
    }
  }
`);

type Props = { value: string | undefined; onChange: (id: string | undefined) => void };

export function OrganizationSelect({ value, onChange }: Props) {
  const viewer = useViewer();
  if (isOperator(viewer))
    return (
      <FilterText label="Organization's id" placeholder="of home" value={value} onChange={onChange} isMono isWide />
    );
  return <OwnSelect value={value} onChange={onChange} />;
}

function OwnSelect({ value, onChange }: Props) {
  const { data } = useRead("organizations", OWN_ORGANIZATIONS, {});
  const own = data?.data.organizations.edges.map(({ node }) => node) ?? [];
  return (
    <SelectField
      label="Organization"
      none="Choose one"
      value={value}
      choices={own.map(({ id, name }) => ({ value: id, name }))}
      onChange={onChange}
    />
  );
}
