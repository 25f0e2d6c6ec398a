import { measureCold } from "../cold.ts";
import { measureFanOut } from "../fan-out.ts";
import { measureMany } from "../many.ts";
import { type BenchPart, report } from "../part.ts";
import { furnishTenants } from "../tenants.ts";

export const part: BenchPart = {
  title: "Many databases",
  about:
    "One server with very many tenant databases. The bare server beside ours knows their names, connects by itself, and asks with one statement. A cold tenant is one to whose database nothing is open.",
  order: 20,
  minutes: 7,
  run: async ({ quick }) => {
    const tenants = await furnishTenants(quick ? 10 : 1_000);
    try {
      report(await measureCold(tenants));
      report(await measureFanOut(tenants, quick ? { rounds: 1, seconds: 1 } : { rounds: 3, seconds: 5 }));
      report(await measureMany(tenants));
    } finally {
      await tenants.stop();
    }
  },
};
