/** Reads at random from many tenant databases: how long they take, and how many connections are held for them meanwhile. */
import type { Part } from "./bars.ts";
import { startTenantry } from "./contestants.ts";
import { sendLoad } from "./measure.ts";
import { connected } from "./servers.ts";
import { median, percentile, shuffled } from "./statistics.ts";
import { digits, table } from "./table.ts";
import { asksTenantry, type Tenants } from "./tenants.ts";

const CONNECTIONS = 32;
const SAMPLE_MS = 200;
const SECONDS = 20;
const MOST_CONNECTIONS = 60;

type Count = { api: number; others: number };

export async function measureMany({ connection, servers, tenants }: Tenants): Promise<Part> {
  const ours = await startTenantry(connection);
  try {
    const requests = shuffled([...tenants, ...tenants, ...tenants], 3).map((tenant) =>
      asksTenantry([tenant], tenant.key),
    );
    const order = { ports: ours.ports, connections: CONNECTIONS, seconds: SECONDS, requests };
    const sampling = sampled(servers.region.url("postgres"));
    const result = await sendLoad("random reads", order).finally(sampling.stop);
    const counts = await sampling.counts;
    const all = counts.map(({ api, others }) => api + others);
    const most = Math.max(...all);
    const at = (share: number) => digits(percentile(result.latencies, share));
    const row = [tenants.length, digits(result.answered / result.seconds), at(0.5), at(0.9), at(0.99), at(1)];
    const held = [
      median(all),
      most,
      ...(["api", "others"] as const).map((who) => Math.max(...counts.map((c) => c[who]))),
    ];
    const head = ["tenant databases", "per s", "p50 ms", "p90 ms", "p99 ms", "worst ms"];
    const text = table(
      [...head, "connections, median", "most", "the API's, most", "the worker's, most"],
      [[...row, ...held.map(digits)]],
    );
    const what = `connections to the region's server, ${tenants.length} tenant databases in random use`;
    return { title: "Many databases", text, bars: [{ what, measured: most, most: MOST_CONNECTIONS, unit: "" }] };
  } finally {
    await ours.stop();
  }
}

/** Counts the server's client connections again and again, until it is stopped. */
function sampled(url: string): { counts: Promise<Count[]>; stop: () => void } {
  let isRunning = true;
  const counts = connected(url, async (client) => {
    const found: Count[] = [];
    while (isRunning) {
      const { rows } = await client.query<Count>(
        `select count(*) filter (where usename like '%\\_api')::int as api,
                count(*) filter (where usename not like '%\\_api')::int as others
         from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()`,
      );
      found.push(...rows);
      await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
    }
    return found;
  });
  return {
    counts,
    stop: () => {
      isRunning = false;
    },
  };
}
