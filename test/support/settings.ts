/** What a test starts a process with: every setting at its default, but for ports that are free and what the test says. */
import type { Limits } from "../../src/base/kernel/limits.ts";
import { readConfig, type Settings } from "../../src/config.ts";
import type { AppOptions } from "../../src/main.ts";

type GivenApi = Partial<Omit<Settings["api"], "limits">> & {
  /** Over the defaults. */
  limits?: Partial<Limits>;
  stalledMs?: number;
};

/** Options of startApp, each of which may be left out. `api` may be a part of it. */
export type GivenSettings = Partial<Omit<AppOptions, "api" | "stalledMs">> & { api?: GivenApi };

/** Home is nowhere unless it is given. */
export function testSettings({ api = {}, ...given }: GivenSettings): AppOptions {
  const standard = readConfig({});
  const { limits, stalledMs, ...rest } = api;
  return {
    ...standard,
    databaseUrl: "",
    secretKey: "",
    port: 0,
    gateway: { host: "127.0.0.1", port: 0 },
    logLevel: "warn",
    ...given,
    api: { ...standard.api, ...rest, limits: { ...standard.api.limits, ...limits } },
    stalledMs,
  };
}
