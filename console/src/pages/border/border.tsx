/** What may cross between home and the regions, what crossed, and what was refused. */
import { getRouteApi } from "@tanstack/react-router";
import { RegionSelect } from "../../ui/region-select.tsx";
import { SelectField } from "../../ui/fields.tsx";
import { Page } from "../../ui/page.tsx";
import { Allowed } from "./allowed.tsx";
import { Crossed } from "./crossed.tsx";
import { Refused } from "./refused.tsx";

const route = getRouteApi("/border");

const PARTS = [
  { value: "crossed", name: "What crossed" },
  { value: "refused", name: "What was refused" },
  { value: "allowed", name: "What may cross" },
] as const;

const SPANS = ["7", "30", "90"].map((value) => ({ value, name: `${value} days` }));
const DEFAULT_DAYS = "30";

export function Border() {
  const { region, days = DEFAULT_DAYS, show = "crossed" } = route.useSearch();
  const navigate = route.useNavigate();
  const span = SPANS.some(({ value }) => value === days) ? days : DEFAULT_DAYS;
  return (
    <Page
      title="Border"
      lead="All replication passes the gateway. It lets the listed columns of the listed tables through, and counts the rows."
    >
      <div className="filters">
        <div className="switch" role="group" aria-label="What is shown">
          {PARTS.map(({ value, name }) => (
            <button
              key={value}
              type="button"
              aria-pressed={show === value}
              onClick={() => void navigate({ search: (search) => ({ ...search, show: value }) })}
            >
              {name}
            </button>
          ))}
        </div>
        {show === "crossed" && (
          <>
            <RegionSelect
              value={region}
              onChange={(key) => void navigate({ search: (search) => ({ ...search, region: key }) })}
            />
            <SelectField
              label="Span"
              value={span}
              choices={SPANS}
              onChange={(value) => void navigate({ search: (search) => ({ ...search, days: value }) })}
            />
          </>
        )}
      </div>
      {show === "crossed" && <Crossed region={region} days={Number(span)} />}
      {show === "refused" && <Refused />}
      {show === "allowed" && <Allowed />}
    </Page>
  );
}
