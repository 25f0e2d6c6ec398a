/** What a team's program is told where home or a region's server refuses: errors of ours, as callers of the API are told. */
import { explainToCaller } from "#engine/failures/explain";

/** Waits for `work`, whose error becomes one of ours where a server has refused. */
export async function explained<Value>(work: Promise<Value>): Promise<Value> {
  try {
    return await work;
  } catch (error) {
    throw explainToCaller(error) ?? error;
  }
}

/** The same for all methods of an object, those that are added later too. They all give promises. */
export function explaining<Target extends object>(target: Target): Target {
  return new Proxy(target, {
    get: (_, name) => {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      // Not on the proxy, which has none of the private fields.
      return (...args: unknown[]): Promise<unknown> => explained(Promise.resolve(value.apply(target, args)));
    },
  });
}
