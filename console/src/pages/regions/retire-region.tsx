/** Takes a region out of service, which it is only without placements: they can be moved before. */
import { useState } from "react";
import { graphql } from "../../api/graphql.ts";
import { useChange, useRead } from "../../api/use-api.ts";
import { ConfirmDialog } from "../../ui/confirm.tsx";
import { CheckField, SelectField } from "../../ui/fields.tsx";
import type { RegionRow } from "./regions.tsx";

const PLAN = graphql(`
  query RetirementPlan($key: String!, $moveTo: String) {
    plan: regionRetirementPlan(key: $key, moveTo: $moveTo) { what sentences obstacles confirm }
  }
`);

const OTHERS = graphql(`
  query RetirementTargets {
    regions { key name }
  }
`);

const RETIRE = graphql(`
  mutation RetireRegion($input: RetireRegionInput!) {
    retireRegion(input: $input) { id key }
  }
`);

export function RetireRegion({ region: { key }, onClose }: { region: RegionRow; onClose: () => void }) {
  const [abandonServer, setAbandon] = useState(false);
  const [moveTo, setMoveTo] = useState<string>();
  const plan = useRead("regions", PLAN, { key, moveTo: moveTo ?? null });
  const others = useRead("regions", OTHERS, {}).data?.data.regions.filter((region) => region.key !== key) ?? [];
  const { mutateAsync } = useChange(RETIRE, ["regions", "overview"]);
  return (
    <ConfirmDialog
      title={`Retire region ${key}`}
      verb={`Retire ${key}`}
      plan={plan}
      isOpen
      onClose={onClose}
      onConfirm={() => mutateAsync({ input: { key, abandonServer, moveTo: moveTo ?? null } })}
      options={
        <>
          <SelectField
            label="Move its placements to"
            none="Nowhere: there must be none"
            value={moveTo}
            choices={others.map((region) => ({ value: region.key, name: `${region.key} (${region.name})` }))}
            onChange={setMoveTo}
          />
          <CheckField
            label="Leave the server as it is, as it is gone for good"
            isChecked={abandonServer}
            onChange={setAbandon}
          />
        </>
      }
    />
  );
}
