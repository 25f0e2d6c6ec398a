/**
 * The token or key that the person signed in with. It is in this variable and nowhere else: not in storage, not in a
 * cookie, not in the address. A reload forgets it.
 */
import { useSyncExternalStore } from "react";

let token: string | undefined;
let count = 0;
const listeners = new Set<() => void>();

export const session = {
  get token(): string | undefined {
    return token;
  },
  set: (given: string | undefined): void => {
    token = given;
    count += 1;
    for (const listener of listeners) listener();
  },
  /** Called whenever somebody signs in or out. */
  onChange: (listener: () => void): (() => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
};

/** How often somebody has signed in or out: another number is another person. */
export function useSessionNumber(): number {
  return useSyncExternalStore(session.onChange, () => count);
}

export function authorization(of: string | undefined): Record<string, string> {
  return of === undefined ? {} : { authorization: `Bearer ${of}` };
}
