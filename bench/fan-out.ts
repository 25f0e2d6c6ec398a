/** One operation that reads from several tenant databases, beside a bare `Promise.all` over as many pools. */
import type { Part } from "./bars.ts";
import { startTenantry } from "./contestants.ts";
import { type Measured, measure, middle } from "./measure.ts";
import { digits, ratio, table } from "./table.ts";
import { asksBare, asksTenantry, type Tenants } from "./tenants.ts";

const FANNED_OUT = 8;
/** Operations at once: one, as a single caller has it, and as many as the bare server has cores and pools for. */
const CONNECTIONS = [1, 4];
const WARM_UP_SECONDS = 2;
const MOST = 1.25;

export async function measureFanOut(
  { connection, tenants, operatorKey, startBare }: Tenants,
  { rounds, seconds }: { rounds: number; seconds: number },
): Promise<Part> {
  await using stack = new AsyncDisposableStack();
  const bare = await startBare();
  stack.defer(bare.stop);
  const ours = await startTenantry(connection);
  stack.defer(ours.stop);
  const eight = tenants.slice(0, FANNED_OUT);
  const contestants = [
    { name: "bare `Promise.all`", ports: [bare.port], pids: [bare.pid], requests: [asksBare(eight, false)] },
    { name: "Tenantry", ports: ours.ports, pids: ours.pids, requests: [asksTenantry(eight, operatorKey)] },
  ];
  const part: Part = { title: `Fan-out over ${eight.length} databases`, text: "", bars: [] };
  const rows: string[][] = [];
  for (const connections of CONNECTIONS) {
    const each = contestants.map((contestant) => ({ contestant, results: [] as Measured[] }));
    // The first round warms up.
    for (let round = -1; round < rounds; round += 1)
      for (const { contestant, results } of round % 2 === 0 ? each : each.toReversed()) {
        const { name, ports, pids, requests } = contestant;
        const order = { ports, connections, seconds: round < 0 ? WARM_UP_SECONDS : seconds, requests };
        const measured = await measure(`fan-out, ${name}`, order, pids);
        if (round >= 0) results.push(measured);
      }
    const medians = each.map(({ contestant, results }) => ({ name: contestant.name, measured: middle(results) }));
    const [base, other] = medians.map(({ measured }) => measured);
    if (base === undefined || other === undefined) throw new Error("nothing was measured");
    for (const { name, measured } of medians)
      rows.push([
        `${name}, ${connections} at once`,
        digits(measured.perSecond),
        digits(measured.p50),
        ratio(measured.p50, base.p50),
        digits(measured.p99),
        ratio(measured.p99, base.p99),
        digits(measured.cpuMs),
      ]);
    const what = `fan-out over ${eight.length} databases, p50, ${connections} at once, to bare`;
    part.bars.push({ what, measured: other.p50 / base.p50, most: MOST });
  }
  part.text = table(["", "per s", "p50 ms", "to bare", "p99 ms", "to bare", "CPU ms"], rows);
  return part;
}
