/** What is only known of this process when somebody scrapes: its pools of connections, and how servers stand with it. */
import { OPERATOR } from "#engine/auth/actor";
import type { Readings, ServerReading } from "#engine/readings/reading";
import type { LabelledGauge, Metrics } from "#base/observability/metrics";
import { type ServerUsage, WAIT_BOUNDS } from "#base/postgres/pool-usage";
import { series } from "#metrics/figures";

type Pools = { usage: () => ServerUsage[] };

/** Registers them. Without `known` they are only described. */
export function exposeProcess(metrics: Metrics, known?: { pools: Pools; readings: Readings }): void {
  const connections = metrics.gauge(
    "tenantry_pool_connections",
    "Connections of this process to home or a region, to its server or its pooler, by state: in_use or idle.",
    ["server", "through", "state"],
  );
  const waiting = metrics.gauge(
    "tenantry_pool_waiting",
    "Callers in this process that wait for a connection to home or a region.",
    ["server", "through"],
  );
  const breaker = metrics.gauge(
    "tenantry_server_breaker_open",
    "Whether this process asks a server nothing for the moment, since it could not be reached: 1.",
    ["server"],
  );
  const since = metrics.gauge(
    "tenantry_server_reachable_since_timestamp_seconds",
    "Since when this process can reach a server, in seconds since 1970. Absent while it cannot.",
    ["server"],
  );
  let usage: ServerUsage[] = [];
  const labels = ({ name: server, isPooler }: ServerUsage) => ({ server, through: isPooler ? "pooler" : "server" });
  metrics.histogram(
    "tenantry_pool_wait_seconds",
    "How long callers in this process waited for a connection to home or a region, in seconds; nearly nothing where one was idle.",
    ["server", "through"],
    WAIT_BOUNDS,
    () => usage.map((one) => ({ labels: labels(one), counts: one.waits.counts, sum: one.waits.sum })),
  );
  if (known === undefined) return;
  const { pools, readings } = known;
  metrics.onScrape(async () => {
    const servers = await readings.servers(OPERATOR).catch(() => []);
    usage = pools.usage();
    const each = (of: LabelledGauge, value: (server: ServerReading) => number | null) =>
      of.set(servers.flatMap((server) => series({ server: server.name }, value(server))));
    each(breaker, (server) => Number(server.breaker !== "closed"));
    each(since, (server) =>
      server.breaker === "closed" && server.since !== null ? server.since.getTime() / 1_000 : null,
    );
    connections.set(
      usage.flatMap((one) => [
        { labels: { ...labels(one), state: "in_use" }, value: one.inUse },
        { labels: { ...labels(one), state: "idle" }, value: one.idle },
      ]),
    );
    waiting.set(usage.map((one) => ({ labels: labels(one), value: one.waiting })));
  });
}
