/** Who did what to what, when and from where, with filters, and as a file. */
import { getRouteApi } from "@tanstack/react-router";
import { usePages } from "../../api/use-pages.ts";
import { isOperator, useViewer, type Viewer } from "../../api/viewer.ts";
import { ACTORS } from "../../api/words.ts";
import { FilterText, SelectField, TextField } from "../../ui/fields.tsx";
import { sentenceCase } from "../../ui/format.ts";
import { List } from "../../ui/list.tsx";
import { OrganizationSelect } from "../../ui/organization-select.tsx";
import { Page, Panel } from "../../ui/page.tsx";
import { Empty, Notice } from "../../ui/states.tsx";
import { AUDIT_LOG, type EntryFilters } from "./entries.ts";
import { entryColumns } from "./entry-columns.tsx";
import { ExportEntries } from "./export-entries.tsx";

const route = getRouteApi("/audit-log");
const useFilters = () => route.useSearch();
type Search = ReturnType<typeof useFilters>;

/** Keys see their own organization's; whoever else is no operator has to choose one. */
function organizationOf({ organization }: Search, viewer: Viewer): string | undefined {
  return organization ?? viewer.organization?.id;
}

/** A day of the address as its first moment by the browser's clock; undefined: it is no day. */
function momentOf(day: string | undefined, plusDays = 0): string | null {
  const [year = 0, month = 0, date = 0] = (day ?? "").split("-").map(Number);
  const moment = new Date(year, month - 1, date + plusDays);
  return day === undefined || Number.isNaN(moment.getTime()) ? null : moment.toISOString();
}

export function AuditLog() {
  const viewer = useViewer();
  const search = useFilters();
  const organizationId = organizationOf(search, viewer);
  const filters: EntryFilters = {
    organizationId: organizationId ?? null,
    action: search.action ?? null,
    who: search.who ?? null,
    whoId: search.whoId ?? null,
    subjectId: search.subject ?? null,
    from: momentOf(search.from),
    to: momentOf(search.to, 1),
  };
  const maySee = isOperator(viewer) || organizationId !== undefined;
  return (
    <Page
      title="Audit log"
      lead="Who did what to what. Entries about content stay in their region and are read there."
      actions={maySee && <ExportEntries filters={filters} />}
    >
      <Filters search={search} organizationId={organizationId} />
      {maySee ? (
        <Entries filters={filters} />
      ) : (
        <Panel title="Entries" flush>
          <Empty title="Choose an organization">
            <p>Its owners see its entries.</p>
          </Empty>
        </Panel>
      )}
    </Page>
  );
}

function Filters({ search, organizationId }: { search: Search; organizationId: string | undefined }) {
  const navigate = route.useNavigate();
  const set = (name: keyof Search) => (value: string | undefined) =>
    void navigate({ search: (before) => ({ ...before, [name]: value === "" ? undefined : value }) });
  return (
    <div className="filters">
      <OrganizationSelect value={organizationId} onChange={set("organization")} />
      <FilterText label="Action" placeholder="createUser" value={search.action} onChange={set("action")} isMono />
      <SelectField
        label="By"
        none="Anybody"
        value={search.who}
        choices={ACTORS.map((value) => ({ value, name: sentenceCase(value) }))}
        onChange={set("who")}
      />
      <FilterText label="Id of the user or key" value={search.whoId} onChange={set("whoId")} isMono />
      <FilterText label="Id of what it was about" value={search.subject} onChange={set("subject")} isMono />
      <TextField label="From the day" type="date" value={search.from ?? ""} onChange={set("from")} />
      <TextField label="To the day" type="date" value={search.to ?? ""} onChange={set("to")} />
    </div>
  );
}

function Entries({ filters }: { filters: EntryFilters }) {
  const pages = usePages("audit", AUDIT_LOG, filters, ({ auditLog }) => auditLog);
  const missing = pages.first?.auditLog.missingRegions ?? [];
  return (
    <>
      {missing.length > 0 && (
        <Notice tone="warn">
          The entries in {missing.join(", ")} are missing: {missing.length === 1 ? "the region is" : "the regions are"}{" "}
          away.
        </Notice>
      )}
      <Panel title="Entries" note="newest first" flush>
        <List
          label="Entries of the audit log"
          noun="entry"
          nouns="entries"
          pages={pages}
          rowKey={({ id }) => id}
          columns={entryColumns}
          empty={
            <Empty title="No entry is so">
              <p>
                Take a filter away to see others. Without an organization the log is home's: entries about an
                organization's content are in its regions.
              </p>
            </Empty>
          }
        />
      </Panel>
    </>
  );
}
