/**
 * Asks one server again and again over keep-alive connections, in a process of its own. Takes a `LoadOrder` as JSON on standard
 * input, prints a `LoadResult`.
 */
import { Agent, request } from "node:http";
import { text } from "node:stream/consumers";

/** One request of the ones that are sent in turn. */
export type Sent = { path: string; headers: Record<string, string>; body: string };
export type LoadOrder = { port: number; connections: number; seconds: number; requests: Sent[] };
/** Times in milliseconds. `failed`: answers that were no data. */
export type LoadResult = { answered: number; failed: number; seconds: number; bytes: number; latencies: number[] };

if (import.meta.main) {
  const order = JSON.parse(await text(process.stdin)) as LoadOrder;
  process.stdout.write(JSON.stringify(await run(order)));
}

async function run({ port, connections, seconds, requests }: LoadOrder): Promise<LoadResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const result: LoadResult = { answered: 0, failed: 0, seconds: 0, bytes: 0, latencies: [] };
  const started = performance.now();
  const until = started + seconds * 1_000;
  let turn = 0;
  const ask = (sent: Sent) =>
    new Promise<string>((resolve, reject) => {
      const asked = request(
        { agent, port, host: "127.0.0.1", path: sent.path, method: "POST", headers: sent.headers },
        (response) => {
          response.setEncoding("utf8");
          let answer = "";
          response.on("data", (part: string) => {
            answer += part;
          });
          response.on("end", () => resolve(answer));
        },
      );
      asked.on("error", reject);
      asked.end(sent.body);
    });
  const caller = async () => {
    while (performance.now() < until) {
      const sent = requests[turn % requests.length];
      turn += 1;
      if (sent === undefined) return;
      const began = performance.now();
      const answer = await ask(sent);
      result.latencies.push(performance.now() - began);
      result.answered += 1;
      result.bytes += answer.length;
      if (!/^\{"data" ?: ?\{/.test(answer) || answer.includes('"errors"')) {
        result.failed += 1;
        if (result.failed === 1) process.stderr.write(`${answer.slice(0, 300)}\n`);
      }
    }
  };
  await Promise.all(Array.from({ length: connections }, caller));
  result.seconds = (performance.now() - started) / 1_000;
  agent.destroy();
  return result;
}
