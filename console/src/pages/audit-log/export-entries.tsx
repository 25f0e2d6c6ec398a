/** Writes the filtered entries into a file, as comma-separated values. */
import { useState } from "react";
import { request } from "../../api/request.ts";
import { PAGE_ROWS } from "../../api/use-pages.ts";
import { count, counted } from "../../ui/format.ts";
import { Failure } from "../../ui/states.tsx";
import { AUDIT_LOG, type EntryFilters, type EntryRow } from "./entries.ts";

/** More than this is a matter of `tenantry audit --json`. */
const MOST_ENTRIES = 10_000;

const COLUMNS = [
  "at",
  "outcome",
  "action",
  "subjectKind",
  "subjectId",
  "organizationId",
  "placementId",
  "regionKey",
  "who",
  "whoId",
  "via",
  "address",
  "userAgent",
  "id",
] as const satisfies readonly (keyof EntryRow)[];

/** A cell. Callers choose some of these texts: one that begins like a formula is made a text, so that no program computes it. */
function cell(value: string | null): string {
  const text = value ?? "";
  const plain = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}

export function toText(entries: readonly EntryRow[]): string {
  const lines = entries.map((entry) => COLUMNS.map((column) => cell(entry[column])).join(","));
  return [COLUMNS.join(","), ...lines, ""].join("\r\n");
}

async function readAll(filters: EntryFilters, onRead: (entries: number) => void) {
  const entries: EntryRow[] = [];
  const missing = new Set<string>();
  let after: string | null = null;
  do {
    const answer: Awaited<ReturnType<typeof page>> = await page(filters, after);
    const { edges, pageInfo, missingRegions } = answer.data.auditLog;
    entries.push(...edges.map(({ node }) => node));
    for (const region of missingRegions) missing.add(region);
    onRead(entries.length);
    after = pageInfo.hasNextPage ? pageInfo.endCursor : null;
  } while (after !== null && entries.length < MOST_ENTRIES);
  return { entries, isAll: after === null, missing: [...missing] };
}

const page = (filters: EntryFilters, after: string | null) =>
  request(AUDIT_LOG, { ...filters, first: PAGE_ROWS, after });

function save(text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = "tenantry-audit-log.csv";
  link.click();
  URL.revokeObjectURL(url);
}

type Stage =
  | { is: "idle" }
  | { is: "reading"; entries: number }
  | { is: "done"; sentence: string }
  | { is: "failed"; error: unknown };

export function ExportEntries({ filters }: { filters: EntryFilters }) {
  const [stage, setStage] = useState<Stage>({ is: "idle" });
  const run = async () => {
    setStage({ is: "reading", entries: 0 });
    try {
      const { entries, isAll, missing } = await readAll(filters, (read) => setStage({ is: "reading", entries: read }));
      save(toText(entries));
      const rest = isAll ? "" : " There are more: tenantry audit --json reads all.";
      const away = missing.length === 0 ? "" : ` Those in ${missing.join(", ")} are missing.`;
      setStage({ is: "done", sentence: `${counted(entries.length, "entry", "entries")} written.${rest}${away}` });
    } catch (error) {
      setStage({ is: "failed", error });
    }
  };
  return (
    <>
      <span role="status" className="muted">
        {stage.is === "reading" && `${count(stage.entries)} read …`}
        {stage.is === "done" && stage.sentence}
      </span>
      {stage.is === "failed" && <Failure error={stage.error} />}
      <button type="button" className="button" disabled={stage.is === "reading"} onClick={() => void run()}>
        Export as CSV
      </button>
    </>
  );
}
