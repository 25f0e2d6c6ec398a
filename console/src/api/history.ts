/**
 * Values over time. The API stores none, so the page remembers the value in each answer. They stay when somebody goes to
 * another page of the console and back. A reload forgets them.
 */
import { useEffect, useSyncExternalStore } from "react";
import { session } from "./session.ts";

/** An hour of answers that come every 5 s. */
const MOST_POINTS = 720;

export type History = { times: readonly number[]; values: Readonly<Record<string, readonly (number | null)[]>> };

const NONE: History = { times: [], values: {} };
const histories = new Map<string, History>();
const listeners = new Set<() => void>();

session.onChange(() => histories.clear());

function note(name: string, atMs: number, values: Readonly<Record<string, number | null>>): void {
  const { times, values: before } = histories.get(name) ?? NONE;
  const time = atMs / 1_000;
  if (times.length > 0 && (times.at(-1) ?? 0) >= time) return;
  const names = new Set([...Object.keys(before), ...Object.keys(values)]);
  const lines = [...names].map((line) => {
    // A line that begins later was not known before.
    const past = before[line] ?? times.map(() => null);
    return [line, [...past, values[line] ?? null].slice(-MOST_POINTS)] as const;
  });
  histories.set(name, { times: [...times, time].slice(-MOST_POINTS), values: Object.fromEntries(lines) });
  for (const listener of listeners) listener();
}

function listen(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/**
 * Notes the values of an answer and returns all that were noted under the name. `atMs`: when the answer came, such as
 * `reading.dataUpdatedAt`. It is 0 before the first answer.
 */
export function useHistory(name: string, atMs: number, values: Readonly<Record<string, number | null>>): History {
  useEffect(() => {
    if (atMs > 0) note(name, atMs, values);
    // An answer is noted once, however often it is drawn.
  }, [name, atMs]);
  return useSyncExternalStore(listen, () => histories.get(name) ?? NONE);
}
