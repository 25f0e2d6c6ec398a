/** Reads from one API process and from two. */
import { interleave, READ_IDS, type Rounds } from "./api.ts";
import type { Part } from "./bars.ts";
import { type Contestant, startTenantry, type Where } from "./contestants.ts";
import { shuffled } from "./statistics.ts";
import { digits, ratio, table } from "./table.ts";
import type { Target } from "./workload.ts";

/** Reads from one process and from two, which share home and nothing else. Whoever asks and PostgreSQL share the machine with them. */
export async function measureScaleOut(where: Where & { targets: readonly Target[] }, options: Rounds): Promise<Part> {
  const targets = shuffled(where.targets, 7).slice(0, READ_IDS);
  const contestants: Contestant[] = [];
  try {
    for (const processes of [1, 2])
      contestants.push({
        ...(await startTenantry(where.connection, { processes })),
        name: `Tenantry, ${processes} ${processes === 1 ? "process" : "processes"}`,
      });
    const medians = await interleave(contestants, targets, { ...options, kinds: ["read"] });
    const [one, two] = [...(medians.get("read") ?? [])];
    if (one === undefined || two === undefined) throw new Error("nothing was measured");
    const head = ["", "per s", "ratio", "p50 ms", "p99 ms", "CPU ms", "MB"];
    const rows = [one, two].map(([{ name }, measured]) => [
      name,
      digits(measured.perSecond),
      ratio(measured.perSecond, one[1].perSecond),
      digits(measured.p50),
      digits(measured.p99),
      digits(measured.cpuMs),
      digits(measured.memory / 2 ** 20),
    ]);
    return { title: "Scale out", text: table(head, rows), bars: [] };
  } finally {
    for (const { stop } of contestants) await stop();
  }
}
