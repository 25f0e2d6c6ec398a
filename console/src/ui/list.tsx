/** A list that comes in pages, as a table with what stands in for it while there is none. */
import type { ReactNode } from "react";
import type { Paged } from "../api/use-pages.ts";
import { counted } from "./format.ts";
import { Failure, Loading, Problems } from "./states.tsx";
import { type Column, Table } from "./table.tsx";

export type ListProps<Row> = {
  label: string;
  /** What one row is called, such as "job". */
  noun: string;
  /** Several of them, where that is not the noun with an s. */
  nouns?: string;
  pages: Pick<
    Paged<unknown, Row>,
    "rows" | "problems" | "isPending" | "error" | "hasMore" | "isLoadingMore" | "more" | "again"
  >;
  columns: readonly Column<Row>[];
  rowKey: (row: Row) => string;
  /** What is shown where there is no row: says what to do. */
  empty: ReactNode;
};

export function List<Row>({ label, noun, nouns, pages, columns, rowKey, empty }: ListProps<Row>) {
  const { rows, problems, isPending, error, hasMore, isLoadingMore, more, again } = pages;
  if (isPending && error === null) return <Loading />;
  return (
    <>
      {error !== null && <Failure error={error} onRetry={again} />}
      <Problems problems={problems} />
      {rows.length === 0 ? (
        error === null && empty
      ) : (
        <Table label={label} columns={columns} rows={rows} rowKey={rowKey} />
      )}
      {rows.length > 0 && (
        <div className="more">
          <span>
            {counted(rows.length, noun, nouns)} shown{hasMore ? ", and there are more" : ""}
          </span>
          {hasMore && (
            <button type="button" className="button" disabled={isLoadingMore} onClick={more}>
              {isLoadingMore ? "Loading …" : "Show more"}
            </button>
          )}
        </div>
      )}
    </>
  );
}
