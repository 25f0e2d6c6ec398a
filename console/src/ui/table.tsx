/**
 * Tables. Of a long one only the rows in view are drawn: above and below them is a row as high as what is left out, so
 * that it stays a table for screen readers and for copying.
 */
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useRef } from "react";

export type Column<Row> = {
  name: string;
  cell: (row: Row) => ReactNode;
  /** number: to the right. tight: no wider than its content. sentence: wide, and wraps. */
  kind?: "number" | "tight" | "sentence";
  /** In place of the name, such as a checkbox for all rows. */
  head?: ReactNode;
};

export type TableProps<Row> = {
  /** What the table is of, for screen readers. */
  label: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  rowKey: (row: Row) => string;
};

/** From here on only rows in view are drawn. */
const LONG = 120;
const ROW_PX = 34;

export function Table<Row>(props: TableProps<Row>) {
  return (
    // A table that is wider than the page is scrolled by itself, with the keyboard too.
    <div className="scroller" role="region" aria-label={`Table: ${props.label}`} tabIndex={0}>
      {props.rows.length > LONG ? <LongTable {...props} /> : <ShortTable {...props} />}
    </div>
  );
}

function ShortTable<Row>({ columns, rows, rowKey }: TableProps<Row>) {
  return (
    <table className="table">
      <Head columns={columns} />
      <tbody>
        {rows.map((row) => (
          <tr key={rowKey(row)}>
            <Cells columns={columns} row={row} />
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function LongTable<Row>({ columns, rows, rowKey }: TableProps<Row>) {
  const table = useRef<HTMLTableElement>(null);
  const virtualizer = useWindowVirtualizer({
    count: rows.length,
    estimateSize: () => ROW_PX,
    overscan: 12,
    scrollMargin: table.current?.offsetTop ?? 0,
    getItemKey: (index) => {
      const row = rows[index];
      return row === undefined ? index : rowKey(row);
    },
  });
  const items = virtualizer.getVirtualItems();
  const { scrollMargin } = virtualizer.options;
  const above = (items[0]?.start ?? scrollMargin) - scrollMargin;
  const below = virtualizer.getTotalSize() - ((items.at(-1)?.end ?? scrollMargin) - scrollMargin);
  return (
    <table className="table" ref={table} aria-rowcount={rows.length + 1}>
      <Head columns={columns} />
      <tbody>
        <Spacer height={above} columns={columns.length} />
        {items.map(({ index, key }) => {
          const row = rows[index];
          if (row === undefined) return null;
          return (
            <tr key={String(key)} data-index={index} ref={virtualizer.measureElement} aria-rowindex={index + 2}>
              <Cells columns={columns} row={row} />
            </tr>
          );
        })}
        <Spacer height={below} columns={columns.length} />
      </tbody>
    </table>
  );
}

function Spacer({ height, columns }: { height: number; columns: number }) {
  if (height <= 0) return null;
  return (
    <tr className="spacer" aria-hidden="true">
      <td colSpan={columns} style={{ height }} />
    </tr>
  );
}

function Head<Row>({ columns }: { columns: readonly Column<Row>[] }) {
  return (
    <thead>
      <tr>
        {columns.map(({ name, kind, head }) => (
          <th key={name} scope="col" className={kind}>
            {head ?? name}
          </th>
        ))}
      </tr>
    </thead>
  );
}

function Cells<Row>({ columns, row }: { columns: readonly Column<Row>[]; row: Row }) {
  return columns.map(({ name, kind, cell }) => (
    <td key={name} className={kind}>
      {cell(row)}
    </td>
  ));
}
