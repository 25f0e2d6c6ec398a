/** Servers: whether they answer, and what they have room for. */
import type { LabelledGauge, Metrics } from "#base/observability/metrics";
import type { ServerReading } from "#engine/readings/reading";
import { series } from "#metrics/figures";

export function serverGauges(metrics: Metrics): (servers: readonly ServerReading[]) => void {
  const gauge = metrics.gauge.bind(metrics);
  const up = gauge("tenantry_server_up", "Whether home's server or a region's answers: 1.", ["server"]);
  const info = gauge("tenantry_server_info", "PostgreSQL's version of a server that answers, and its address.", [
    "server",
    "version",
    "address",
  ]);
  const problem = gauge(
    "tenantry_server_problem",
    "Whether something is wrong with a server: 1. tenantry status says what.",
    ["server"],
  );
  const clock = gauge(
    "tenantry_server_clock_difference_seconds",
    "How far a server's clock is ahead of home's at least; negative: behind.",
    ["server"],
  );
  const limits = limitGauges(metrics);
  const carried = gauge("tenantry_region_carried", "Whether a worker carries the region's replication: 1.", ["region"]);
  return (servers) => {
    const each = (of: LabelledGauge, value: (server: ServerReading) => number | null) =>
      of.set(servers.flatMap((server) => series({ server: server.name }, value(server))));
    each(up, ({ isUp }) => Number(isUp));
    each(problem, (server) => Number(server.problem !== null));
    each(clock, ({ clockAheadSeconds }) => clockAheadSeconds);
    info.set(
      servers.flatMap(({ name: server, version, address }) =>
        version === null ? [] : series({ server, version, address }, 1),
      ),
    );
    limits(servers);
    carried.set(
      servers.flatMap(({ name: region, isCarried }) =>
        isCarried === null ? [] : series({ region }, Number(isCarried)),
      ),
    );
  };
}

function limitGauges(metrics: Metrics): (servers: readonly ServerReading[]) => void {
  const gauge = metrics.gauge.bind(metrics);
  const limit = gauge("tenantry_server_limit", "What a server has room for, by kind of limit.", ["server", "limit"]);
  const used = gauge("tenantry_server_limit_used", "What is in use of a server's limit, by Tenantry or by others.", [
    "server",
    "limit",
    "owner",
  ]);
  const left = gauge(
    "tenantry_server_limit_left",
    "What Tenantry may still take of a server's limit, less what is kept for others and for mending.",
    ["server", "limit"],
  );
  return (servers) => {
    const all = servers.flatMap(({ name: server, limits: of }) =>
      of.map(({ kind, ...standing }) => ({ labels: { server, limit: kind }, ...standing })),
    );
    limit.set(all.flatMap(({ labels, limit: value }) => series(labels, value)));
    left.set(all.flatMap(({ labels, left: value }) => series(labels, value)));
    used.set(
      all.flatMap(({ labels: { server, limit: kind }, ours, others }) => [
        { labels: { server, limit: kind, owner: "tenantry" }, value: ours },
        { labels: { server, limit: kind, owner: "others" }, value: others },
      ]),
    );
  };
}
