import { z } from "zod";
import { refused, type ValuesOf, variable } from "#config/variable";

export const METRICS = {
  title: "Metrics",
  about: "[Monitor](../how-to/monitor.md#metrics) explains them.",
  fields: {
    listen: variable(
      "TENANTRY_METRICS_LISTEN",
      z
        .string()
        .regex(/^(\[[0-9a-fA-F:.]+\]|[^:]+):\d{1,5}$/, "a host and a port are expected, as in 127.0.0.1:9464")
        .optional(),
      {
        meaning:
          "Where metrics can be scraped without a key: by everybody who can reach it. Port 0 takes any port that is free. Each process needs one of its own. `/metrics` on the API's port stays, and asks for an operator's key.",
        otherwise: "nowhere",
        example: "127.0.0.1:9464",
      },
    ),
  },
};

/** Where metrics are served beside the API; undefined: nowhere. */
export function metricsSettings({ listen }: ValuesOf<typeof METRICS>): { host: string; port: number } | undefined {
  if (listen === undefined) return undefined;
  const colon = listen.lastIndexOf(":");
  const port = Number(listen.slice(colon + 1));
  if (port > 65_535) throw refused("The environment variable TENANTRY_METRICS_LISTEN names no port that there is.");
  return { host: listen.slice(0, colon).replace(/^\[|\]$/g, ""), port };
}
