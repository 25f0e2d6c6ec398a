/** Stands where the handlers of moves go. */
import { TenantryError } from "#base/kernel/errors";

export function carryNowhere(): Promise<void> {
  return Promise.reject(new TenantryError("CONFLICT", "This program cannot carry moves."));
}
