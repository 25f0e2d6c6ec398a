/** Starts and asks the process that carries replication. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { ReplicationOptions } from "../src/engine/links/replication-options.ts";
import type { CarrierAnswer, CarrierRequest } from "./carrier-process.ts";

export type Carrier = {
  /** Sweeps every region now: wall time of it. */
  sweep: () => Promise<{ ms: number }>;
  /** CPU-seconds of the process so far. */
  cpuSeconds: () => Promise<number>;
  stop: () => Promise<void>;
};

/** Resolves when the process carries what there is. Requests are made one at a time. */
export async function startCarrier(options: {
  databaseUrl: string;
  secretKey: string;
  replication: Partial<ReplicationOptions>;
}): Promise<Carrier> {
  const child = fork(join(import.meta.dirname, "carrier-process.ts"), {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const ask = async (request: CarrierRequest) => {
    child.send(request);
    const [answer] = (await once(child, "message")) as [CarrierAnswer];
    if ("error" in answer) throw new Error(answer.error);
    return answer;
  };
  await ask({ kind: "start", ...options });
  return {
    sweep: () => ask({ kind: "sweep" }),
    cpuSeconds: async () => (await ask({ kind: "cpu" })).cpuSeconds,
    stop: async () => {
      const ended = once(child, "exit");
      await ask({ kind: "stop" });
      await ended;
    },
  };
}
