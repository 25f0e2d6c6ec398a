/** The filter by region. */
import { graphql } from "../api/graphql.ts";
import { useRead } from "../api/use-api.ts";
import { SelectField } from "./fields.tsx";

const REGION_KEYS = graphql(`
  query RegionKeys {
    regions { key name }
  }
`);

type Props = { value: string | undefined; onChange: (key: string | undefined) => void };

export function RegionSelect({ value, onChange }: Props) {
  const { data } = useRead("regions", REGION_KEYS, {});
  const regions = data?.data.regions ?? [];
  const choices = regions.map(({ key, name }) => ({ value: key, name: `${key} (${name})` }));
  // One that is gone still stands in the address: the select says what the list is of.
  const known = value === undefined || regions.some(({ key }) => key === value);
  return (
    <SelectField
      label="Region"
      none="All"
      value={value}
      choices={known ? choices : [...choices, { value, name: value }]}
      onChange={onChange}
    />
  );
}
