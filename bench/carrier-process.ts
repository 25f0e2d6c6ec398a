/** Tenantry's worker in a process of its own, so that its CPU is told from the benchmark's. Started by carrier.ts. */
import type { ReplicationOptions } from "../src/engine/links/replication-options.ts";
import type { App } from "../src/main.ts";
import { startWorker } from "./worker.ts";

export type CarrierRequest =
  | { kind: "start"; databaseUrl: string; secretKey: string; replication: Partial<ReplicationOptions> }
  | { kind: "sweep" }
  | { kind: "cpu" }
  | { kind: "stop" };

/** `ms`: what the request took; `cpuSeconds`: the process's so far. */
export type CarrierAnswer = { ms: number; cpuSeconds: number } | { error: string };

let app: App | undefined;

async function answer(request: CarrierRequest): Promise<void> {
  if (request.kind === "start") {
    const { databaseUrl, secretKey, replication } = request;
    app = await startWorker({ databaseUrl, secretKey }, replication);
  } else if (request.kind === "sweep") await app?.replication?.sweepNow();
  else if (request.kind === "stop") await app?.close();
}

process.on("message", (request: CarrierRequest) => {
  const started = performance.now();
  const send = (message: CarrierAnswer) => process.send?.(message);
  answer(request).then(
    () => {
      const { user, system } = process.cpuUsage();
      send({ ms: performance.now() - started, cpuSeconds: (user + system) / 1e6 });
      if (request.kind === "stop") process.disconnect();
    },
    (error: unknown) => send({ error: String(error) }),
  );
});
// The benchmark is gone: nothing of it is left.
process.on("disconnect", () => process.exit(0));
