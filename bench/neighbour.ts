/** A small organization that goes on asking while something else is measured. */
import { delay } from "../src/base/kernel/wait.ts";
import type { ApiProcess } from "./api-process.ts";
import { percentile } from "./statistics.ts";

const CALL_EVERY_MS = 25;

export class Neighbour {
  readonly #url: string;
  readonly #key: string;
  readonly #organizationId: string;
  #latencies: number[] = [];
  #failed = 0;
  #stop = false;
  #done: Promise<void> = Promise.resolve();

  constructor(api: ApiProcess, key: string, organizationId: string) {
    this.#url = api.url;
    this.#key = key;
    this.#organizationId = organizationId;
  }

  start(): void {
    this.#done = this.#call();
  }

  async stop(): Promise<void> {
    this.#stop = true;
    await this.#done;
  }

  /** What was measured since this was last asked. */
  take(): { p50: number; p99: number; failed: number } {
    const [latencies, failed] = [this.#latencies, this.#failed];
    this.#latencies = [];
    this.#failed = 0;
    return { p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99), failed };
  }

  async #call(): Promise<void> {
    const list = "{ resources(first: 20) { edges { node { id name } } } }";
    const create = `mutation { createResource(input: { name: "Mine", organizationId: "${this.#organizationId}", regionKey: "first" }) { id } }`;
    for (let turn = 0; !this.#stop; turn += 1) {
      const started = performance.now();
      // Writing waits for a link, which is measured elsewhere: one in forty.
      const isGood = await ask(this.#url, this.#key, turn % 40 === 39 ? create : list).catch(() => false);
      if (turn % 40 !== 39) this.#latencies.push(performance.now() - started);
      if (!isGood) this.#failed += 1;
      await delay(CALL_EVERY_MS);
    }
  }
}

/** Whether the answer was data without errors. */
export async function ask(url: string, key: string, query: string): Promise<boolean> {
  const response = await fetch(`${url}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    body: JSON.stringify({ query }),
  });
  const answer = (await response.json()) as { data?: object | null; errors?: { message: string }[] };
  return answer.data != null && answer.errors === undefined;
}
