import { z } from "zod";
import { isSafeUrl } from "#base/kernel/loopback";
import { bound, flag, list, refused, type ValuesOf, variable } from "#config/variable";

const PROTOCOLS = ["http/protobuf", "http/json"] as const;
const SAMPLERS = [
  "always_on",
  "always_off",
  "traceidratio",
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio",
] as const;
/** A variable that other programs read too: what it may be is looked at only where traces are on. */
const shared = (standard: string) => z.string().max(200).default(standard);

export const TRACES = {
  title: "Traces",
  about:
    "Traces are off unless a collector is named by the first, the second or the last but one of these variables, or by\n`OTEL_TRACES_EXPORTER=otlp`. [Follow a request](../how-to/traces.md) explains them. The `OTEL_` variables mean what the\n[OpenTelemetry specification](https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/) says.",
  fields: {
    endpoint: variable("OTEL_EXPORTER_OTLP_ENDPOINT", z.string().min(1).max(2_000).optional(), {
      meaning: "The collector's base URL. `/v1/traces` is added.",
      example: "http://127.0.0.1:4318",
    }),
    tracesEndpoint: variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", z.string().min(1).max(2_000).optional(), {
      meaning: "The whole URL that traces are sent to.",
      otherwise: "the variable above and `/v1/traces`",
      example: "http://127.0.0.1:4318/v1/traces",
    }),
    headers: variable("OTEL_EXPORTER_OTLP_HEADERS", z.string().max(10_000).optional(), {
      meaning:
        "Headers for that collector: names and values, URL-encoded, separated by commas. They are not sent to a region's collector. `OTEL_EXPORTER_OTLP_TRACES_HEADERS`, and the variables for certificates and compression, count too.",
      example: "authorization=Bearer%20token",
      isSecret: true,
    }),
    protocol: variable("OTEL_EXPORTER_OTLP_PROTOCOL", shared("http/protobuf"), {
      meaning: "How spans are written, for all collectors: `http/protobuf` or `http/json`. There is no `grpc`.",
    }),
    exporter: variable("OTEL_TRACES_EXPORTER", z.string().max(200).optional(), {
      meaning:
        "`none` turns traces off. `otlp` turns them on, with a collector at `http://localhost:4318` unless one is named.",
      otherwise: "`otlp` where a collector is named",
    }),
    isDisabled: variable("OTEL_SDK_DISABLED", flag(), { meaning: "`true` turns traces off, whatever else is set." }),
    serviceName: variable("OTEL_SERVICE_NAME", z.string().max(200).optional(), {
      meaning: "The service's name in spans.",
      otherwise: "`tenantry`",
      example: "tenantry-api",
    }),
    resourceAttributes: variable("OTEL_RESOURCE_ATTRIBUTES", z.string().max(10_000).optional(), {
      meaning: "More that all spans say of the process: names and values, URL-encoded, separated by commas.",
      example: "deployment.environment.name=production",
    }),
    sampler: variable("OTEL_TRACES_SAMPLER", shared("parentbased_always_on"), {
      meaning: `Which traces are kept: ${SAMPLERS.map((name) => `\`${name}\``).join(", ")}. With \`parentbased_\` a caller that sends its trace decides for it.`,
    }),
    samplerRatio: variable("OTEL_TRACES_SAMPLER_ARG", z.string().max(200).optional(), {
      meaning: "The part of the traces that `traceidratio` keeps, from 0 to 1.",
      otherwise: "`1`",
      example: "0.05",
    }),
    propagators: variable("OTEL_PROPAGATORS", list(200), {
      meaning:
        "How callers send their trace. Only `tracecontext` (W3C) is known. Where it is not in the list, as with `none`, no caller's trace is taken up.",
      otherwise: "`tracecontext`",
      example: "tracecontext",
    }),
    timeoutMs: variable("OTEL_EXPORTER_OTLP_TIMEOUT", bound(4_000, 1, 60_000), {
      unit: "ms",
      meaning:
        "How long an attempt to send spans may take, to any collector. A process that stops may wait that long for one that is away.",
    }),
    delayMs: variable("OTEL_BSP_SCHEDULE_DELAY", bound(5_000, 1, 60_000), {
      unit: "ms",
      meaning: "How long spans wait to be sent together.",
    }),
    maxQueueSize: variable("OTEL_BSP_MAX_QUEUE_SIZE", bound(2_048, 1, 100_000), {
      unit: "spans",
      meaning: "How many spans wait for a collector. More are dropped.",
    }),
    regionEndpoints: variable("TENANTRY_REGION_OTLP_ENDPOINTS", list(10_000), {
      meaning:
        "Regions' [own collectors](../how-to/traces.md#a-collector-for-each-region): the region's key and the collector's base URL, separated by commas. Spans about statements on the region's servers go there and nowhere else.",
      example: "eu=https://otel.eu.example.com,us=https://otel.us.example.com",
    }),
    regionHeaders: variable("TENANTRY_REGION_OTLP_HEADERS", list(10_000), {
      meaning: "Headers for these collectors: the region's key, a dot, the header's name and its value, URL-encoded.",
      example: "eu.authorization=Bearer%20token",
      isSecret: true,
    }),
  },
};

type Collector = { url: string; headers: Record<string, string> };

/** Undefined: traces are off. */
export function tracesSettings(values: ValuesOf<typeof TRACES>) {
  const { endpoint, tracesEndpoint, exporter, isDisabled, propagators, timeoutMs, delayMs, maxQueueSize } = values;
  const regions = readRegions(values);
  const home = endpoint !== undefined || tracesEndpoint !== undefined || exporter === "otlp";
  if (isDisabled || exporter === "none" || (!home && regions.size === 0)) return undefined;
  if (exporter !== undefined && exporter !== "otlp") throw refused("OTEL_TRACES_EXPORTER must be otlp or none.");
  for (const [name, url] of [
    ["OTEL_EXPORTER_OTLP_ENDPOINT", endpoint],
    ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", tracesEndpoint],
  ] as const)
    if (url !== undefined && !isHttp(url)) throw refused(`${name} must be an http or https URL.`);
  return {
    protocol: oneOf(PROTOCOLS, values.protocol, "OTEL_EXPORTER_OTLP_PROTOCOL"),
    home,
    regions,
    sampler: oneOf(SAMPLERS, values.sampler, "OTEL_TRACES_SAMPLER"),
    ratio: ratioOf(values.samplerRatio),
    propagates: propagators.length === 0 || propagators.includes("tracecontext"),
    timeoutMs,
    delayMs,
    maxQueueSize,
  };
}

function oneOf<Value extends string>(all: readonly Value[], given: string, name: string): Value {
  const found = all.find((value) => value === given);
  if (found === undefined) throw refused(`The environment variable ${name} must be one of ${all.join(", ")}.`);
  return found;
}

function ratioOf(text = "1"): number {
  const ratio = Number(text);
  if (!/^[\d.]+$/.test(text) || !(ratio >= 0 && ratio <= 1))
    throw refused("OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1.");
  return ratio;
}

function readRegions({ regionEndpoints, regionHeaders }: ValuesOf<typeof TRACES>): Map<string, Collector> {
  const regions = new Map<string, Collector>();
  for (const item of regionEndpoints) {
    const [, key = "", url = ""] = /^([a-z][a-z0-9-]{0,39})=(.+)$/.exec(item) ?? [];
    if (key === "" || !isHttp(url) || regions.has(key))
      throw refused(
        "TENANTRY_REGION_OTLP_ENDPOINTS must be regions' keys, each once, with http or https URLs, as in eu=https://otel.eu.example.com.",
      );
    regions.set(key, { url, headers: {} });
  }
  for (const item of regionHeaders) {
    const [, key = "", name = "", value = ""] = /^([a-z][a-z0-9-]{0,39})\.([a-z0-9-]+)=(.+)$/i.exec(item) ?? [];
    const collector = regions.get(key);
    const text = decoded(value);
    if (collector === undefined || text === undefined)
      throw refused(
        "TENANTRY_REGION_OTLP_HEADERS must name headers of regions with a collector of their own, with values that are URL-encoded, as in eu.authorization=Bearer%20token.",
      );
    // A password that goes over a network goes encrypted.
    if (!isSafeUrl(collector.url))
      throw refused(`The collector of region ${key} gets headers, so its URL must be https, or on this machine.`);
    collector.headers[name.toLowerCase()] = text;
  }
  return regions;
}

function decoded(value: string): string | undefined {
  try {
    const text = decodeURIComponent(value);
    return /^[ -~]+$/.test(text) ? text : undefined;
  } catch {
    return undefined;
  }
}

function isHttp(url: string): boolean {
  return URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
}
