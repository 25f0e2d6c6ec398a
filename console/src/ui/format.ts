/** Numbers and times as people read them. A value that is not known is a dash. */
export const UNKNOWN = "–";

const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export function count(value: number | null | undefined): string {
  return value == null ? UNKNOWN : WHOLE.format(value);
}

/** "1 job", "3 jobs". */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

const BYTE_UNITS = ["B", "kB", "MB", "GB", "TB"];

export function bytes(value: number | null | undefined): string {
  if (value == null) return UNKNOWN;
  let rest = value;
  let unit = 0;
  while (rest >= 999.5 && unit < BYTE_UNITS.length - 1) {
    rest /= 1_000;
    unit += 1;
  }
  return `${unit === 0 || rest >= 99.5 ? WHOLE.format(rest) : rest.toFixed(1)} ${BYTE_UNITS[unit]}`;
}

const STEPS: readonly (readonly [seconds: number, unit: string])[] = [
  [86_400, "d"],
  [3_600, "h"],
  [60, "min"],
];

/** A length of time in its largest unit: "0.4 s", "12 s", "3 min", "2 h", "5 d". */
export function duration(seconds: number | null | undefined): string {
  if (seconds == null) return UNKNOWN;
  const step = STEPS.find(([size]) => seconds >= size);
  if (step !== undefined) return `${Math.floor(seconds / step[0])} ${step[1]}`;
  return seconds < 9.95 && seconds > 0 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds)} s`;
}

const MOMENT = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

/** In the browser's time zone. */
export function moment(at: string | null | undefined): string {
  return at == null ? UNKNOWN : MOMENT.format(new Date(at));
}

/** Enough of an id to tell it from others on the page: UUIDv7s of one moment begin alike. */
export function shortId(id: string): string {
  return `…${id.slice(-8)}`;
}

/** "provision-placement" as "Provision placement". */
export function sentenceCase(name: string): string {
  const words = name.replaceAll(/[-_]/g, " ").toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
