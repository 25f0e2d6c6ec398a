import { describe, expect, test } from "vitest";
import { Metrics } from "#base/observability/metrics";

describe("metrics", () => {
  test("that are filled in when somebody scrapes forget what is no longer there", async () => {
    const metrics = new Metrics();
    const gauge = metrics.gauge("tenantry_test", "For a test.", ["server"]);
    let servers = ["eu", "us"];
    metrics.onScrape(() => gauge.set(servers.map((server) => ({ labels: { server }, value: 1 }))));
    expect(await metrics.text()).toContain('tenantry_test{server="us"} 1');
    servers = ["eu"];
    const text = await metrics.text();
    expect(text).toContain('tenantry_test{server="eu"} 1');
    expect(text).not.toContain('server="us"');
  });

  test("of what somebody else has counted are a histogram, in which each bound counts what is below it", async () => {
    const metrics = new Metrics();
    metrics.histogram("tenantry_test_seconds", "For a test.", ["server"], [0.1, 1], () => [
      { labels: { server: "eu" }, counts: [3, 2, 1], sum: 9.5 },
    ]);
    const lines = (await metrics.text()).split("\n").filter((line) => line.startsWith("tenantry_test_seconds"));
    expect(lines).toEqual([
      'tenantry_test_seconds_bucket{server="eu",le="0.1"} 3',
      'tenantry_test_seconds_bucket{server="eu",le="1"} 5',
      'tenantry_test_seconds_bucket{server="eu",le="+Inf"} 6',
      'tenantry_test_seconds_sum{server="eu"} 9.5',
      'tenantry_test_seconds_count{server="eu"} 6',
    ]);
    expect(metrics.describe()).toContainEqual({
      name: "tenantry_test_seconds",
      type: "histogram",
      help: "For a test.",
      labels: ["server"],
    });
  });

  test("that alerts look for a rise of are there before anything happened", async () => {
    const metrics = new Metrics();
    metrics.expectBorderRefusals(["malformed"]);
    const text = await metrics.text();
    expect(text).toContain('tenantry_border_refusals_total{code="malformed"} 0');
    expect(text).toContain('tenantry_graphql_errors_total{code="INTERNAL"} 0');
    expect(text).toContain('tenantry_mails_total{outcome="failed"} 0');
    expect(text).toContain('tenantry_process_failures_total{kind="exception"} 0');
  });
});
