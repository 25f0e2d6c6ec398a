/** Debian's Prometheus, with the rules and the configuration that are deployed, for a test. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { waitFor } from "../../src/base/kernel/wait.ts";
import { freePort } from "./free-port.ts";

const DEPLOYED = join(import.meta.dirname, "../../deploy/prometheus");
const START_MS = 30_000;

type Config = {
  global: { scrape_interval: string; evaluation_interval: string };
  scrape_configs: { static_configs: { targets: string[] }[] }[];
};
type Rule = { name: string; health: string; lastError?: string };
type Sample = { metric: Record<string, string>; value: [number, string] };

export type Prometheus = AsyncDisposable & {
  /** What an expression of PromQL gives now, by the labels of its series. */
  query: (expression: string) => Promise<Sample[]>;
  /** The names of the alerts that wait to fire, or fire. */
  alerts: () => Promise<{ name: string; labels: Record<string, string>; state: string }[]>;
  /** The rules by name, and why one could not be evaluated. */
  rules: () => Promise<Rule[]>;
  /** Why each target could not be scraped; empty: it was. */
  faultsOfTargets: () => Promise<string[]>;
};

/** Starts one that scrapes these targets, `host:port`, every second. */
export async function startPrometheus(targets: readonly string[]): Promise<Prometheus> {
  const folder = mkdtempSync(join(tmpdir(), "tenantry-prometheus-"));
  const config = parse(readFileSync(join(DEPLOYED, "prometheus.yml"), "utf8")) as Config;
  config.global = { scrape_interval: "1s", evaluation_interval: "1s" };
  for (const { static_configs: statics } of config.scrape_configs)
    for (const one of statics) one.targets = [...targets];
  writeFileSync(join(folder, "prometheus.yml"), stringify(config));
  copyFileSync(join(DEPLOYED, "rules.yaml"), join(folder, "rules.yaml"));
  const port = await freePort();
  const started = spawn(
    "prometheus",
    [
      `--config.file=${join(folder, "prometheus.yml")}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let said = "";
  started.stderr.on("data", (data: Buffer) => {
    said = `${said}${data.toString()}`.slice(-10_000);
  });
  const ended = once(started, "exit");
  const get = async <Data>(path: string): Promise<Data> => {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/${path}`);
    const { data, error } = (await response.json()) as { data?: Data; error?: string };
    if (data === undefined) throw new Error(`Prometheus: ${error}`);
    return data;
  };
  const isReady = await waitFor(
    async () =>
      (await fetch(`http://127.0.0.1:${port}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      ))
        ? true
        : undefined,
    { timeoutMs: START_MS },
  );
  const stop = async () => {
    started.kill("SIGTERM");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  if (isReady === undefined) {
    await stop();
    throw new Error(`Prometheus did not start: ${said}`);
  }
  return {
    query: async (expression) =>
      (await get<{ result: Sample[] }>(`query?query=${encodeURIComponent(expression)}`)).result,
    alerts: async () => {
      const { alerts } = await get<{ alerts: { labels: Record<string, string>; state: string }[] }>("alerts");
      return alerts.map(({ labels, state }) => ({ name: labels["alertname"] ?? "", labels, state }));
    },
    rules: async () => (await get<{ groups: { rules: Rule[] }[] }>("rules")).groups.flatMap(({ rules }) => rules),
    faultsOfTargets: async () =>
      (await get<{ activeTargets: { lastError: string }[] }>("targets")).activeTargets.map(
        ({ lastError }) => lastError,
      ),
    [Symbol.asyncDispose]: stop,
  };
}
