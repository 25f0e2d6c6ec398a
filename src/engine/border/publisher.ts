/** Connecting to where a link's changes come from. */
import type { Socket } from "node:net";
import type { ServerAddress } from "#base/postgres/connection-url";
import { openWalsender } from "#base/postgres/walsender";

/** Where a link's changes come from. */
export type GatewayPublisher = {
  readonly address: ServerAddress;
  readonly database: string;
  /** Rejects where another home owns the link's region. */
  readonly requireOwned: () => Promise<void>;
};

/**
 * Signs in there, and asks beside it whether this home may: two homes would take each other's changes from one slot. Rejects with
 * the driver's errors, or CONFLICT.
 */
export async function openPublisher(
  from: GatewayPublisher,
  options: { encoding: string; silentMs: number },
): Promise<Socket> {
  const [opened, owned] = await Promise.allSettled([
    openWalsender(from.address, from.database, options),
    from.requireOwned(),
  ]);
  if (owned.status === "fulfilled" && opened.status === "fulfilled") return opened.value;
  if (opened.status === "fulfilled") opened.value.destroy();
  throw owned.status === "rejected" ? owned.reason : (opened as PromiseRejectedResult).reason;
}
