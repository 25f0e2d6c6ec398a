/** The first request of a tenant to whose database nothing is open, beside a bare server that connects, asks and answers. */
import type { Part } from "./bars.ts";
import { startTenantry } from "./contestants.ts";
import { sendLoad } from "./measure.ts";
import { median, percentile } from "./statistics.ts";
import { digits, ratio, table } from "./table.ts";
import { asksBare, asksTenantry, type Tenants } from "./tenants.ts";

const COLD_TENANTS = 200;
const COLD_AT_ONCE = 25;
const MOST = 1.4;

/** Each tenant once, one after another, by turns with the bare server. */
export async function measureCold({ connection, tenants, startBare }: Tenants): Promise<Part> {
  const ours = await startTenantry(connection);
  const bare = await startBare();
  const [bareMs, oursMs]: [number[], number[]] = [[], []];
  try {
    const last = Math.min(COLD_TENANTS, tenants.length);
    for (let from = 0; from < last; from += COLD_AT_ONCE) {
      const some = tenants.slice(from, Math.min(from + COLD_AT_ONCE, last));
      const order = { connections: 1, seconds: 60, once: true };
      const askBare = async () => {
        const requests = some.map((tenant) => asksBare([tenant], true));
        bareMs.push(...(await sendLoad("cold, bare", { ...order, ports: [bare.port], requests })).latencies);
      };
      const askOurs = async () => {
        const requests = some.map((tenant) => asksTenantry([tenant], tenant.key));
        oursMs.push(...(await sendLoad("cold, Tenantry", { ...order, ports: ours.ports, requests })).latencies);
      };
      for (const work of (from / COLD_AT_ONCE) % 2 < 1 ? [askBare, askOurs] : [askOurs, askBare]) await work();
    }
  } finally {
    await bare.stop();
    await ours.stop();
  }
  const text = table(
    ["", "p50 ms", "to bare", "p90 ms", "p99 ms"],
    [
      ["bare: connect and query", bareMs],
      ["Tenantry: first request of a tenant", oursMs],
    ].map(([name, values]) => {
      const ms = values as number[];
      return [
        name as string,
        digits(median(ms)),
        ratio(median(ms), median(bareMs)),
        digits(percentile(ms, 0.9)),
        digits(percentile(ms, 0.99)),
      ];
    }),
  );
  const measured = median(oursMs) / median(bareMs);
  return {
    title: "Cold tenants",
    text,
    bars: [{ what: "first request of a cold tenant, to bare", measured, most: MOST }],
  };
}
