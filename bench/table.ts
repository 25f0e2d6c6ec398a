/** A table in Markdown. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** With as many digits as say something: 1234, 12.3, 1.23, 0.123. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return "–";
  return value === 0 ? "0" : value.toFixed(Math.max(0, Math.min(3, 2 - Math.floor(Math.log10(Math.abs(value))))));
}

export function ratio(value: number, to: number): string {
  return `${digits(value / to)} ×`;
}
