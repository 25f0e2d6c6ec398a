/** What a batch does where one statement cannot serve all of its keys: one for each group of them. */
import type { PageRequest } from "#base/kernel/page";

/** One page of a list: whose list, which page, and of which rows where not of all. */
export type PageKey<Filter = unknown> = {
  readonly id: string;
  readonly page: PageRequest;
  readonly filter?: Filter | undefined;
};

/** Keys with the same one are read with one statement. */
export function formOf({ page, filter }: PageKey): string {
  const { first, after, before, backwards } = page;
  return JSON.stringify([first, after, before ?? null, backwards ?? false, filter ?? null]);
}

/** Reads each group of keys at the same time as the others. One that fails fails its own keys. The answers are in the keys' order. */
export async function inGroups<Key, Value>(
  keys: readonly Key[],
  groupOf: (key: Key) => string,
  read: (group: readonly [Key, ...Key[]]) => Promise<(key: Key) => Value | Error>,
): Promise<(Value | Error)[]> {
  const answers = new Map<Key, Value | Error>();
  const readGroup = async (group: readonly Key[]) => {
    // An error is a value here, as DataLoader has it.
    const answer = await read(group as [Key, ...Key[]]).catch((error: unknown) => () => asError(error));
    for (const key of group) answers.set(key, answer(key));
  };
  await Promise.all([...Map.groupBy(keys, groupOf).values()].map(readGroup));
  return keys.map((key) => answers.get(key) as Value | Error);
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error("lookup failed", { cause: error });
}
