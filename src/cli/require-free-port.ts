import { createServer } from "node:net";
import type { Settings } from "#config";
import { TenantryError } from "#base/kernel/errors";

/** Finds out before anything starts that the API's port is taken. CONFLICT then; what else is wrong shows on listening. */
export async function requireFreePort({
  host,
  port,
  sharePort,
  role,
}: Pick<Settings, "host" | "port" | "sharePort" | "role">): Promise<void> {
  if (role === "worker" || sharePort || port === 0) return;
  const server = createServer();
  const failure = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
    server.once("error", resolve);
    server.listen(port, host, () => server.close(() => resolve(undefined)));
  });
  if (failure?.code === "EADDRINUSE")
    throw new TenantryError(
      "CONFLICT",
      `Port ${port} on ${host} is taken: stop what uses it, or set PORT to another one.`,
      { cause: failure },
    );
}
