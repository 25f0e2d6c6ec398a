/**
 * The only reader of `process.env`: everything is checked here, once, at start. Each variable is declared in one place, in
 * src/config/, with the text that stands in docs/reference/configuration.md.
 */
import { isLoopback } from "#base/kernel/loopback";
import { API, apiSettings } from "#config/api";
import { GATEWAY, gatewaySettings } from "#config/gateway";
import { HOME, homeSettings } from "#config/home";
import { LIMIT_SETTINGS } from "#config/limits";
import { invitationUrlSetting, MAIL, mailSettings } from "#config/mail";
import { METRICS, metricsSettings } from "#config/metrics";
import { nearestName } from "#config/nearest-name";
import { SIGN_IN, signInSettings } from "#config/sign-in";
import { TRACES, tracesSettings } from "#config/traces";
import { readSection, refused, type Section, variableOf } from "#config/variable";

/** In the order of the reference page. */
export const SECTIONS: readonly Section[] = [HOME, API, MAIL, SIGN_IN, GATEWAY, METRICS, TRACES, LIMIT_SETTINGS];

/** All settings of a process. Functions take what they need of them. */
export type Settings = ReturnType<typeof read> & {
  /** Whether a package manager runs us as a script of package.json. */
  startedByScript: boolean;
};

/** Reads the environment. Throws INVALID_INPUT naming the variable, never its value. Without variables: the defaults. */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): Settings {
  refuseUnknown(environment);
  const settings = read(environment);
  if (settings.signIn.mode === "development") requireLocal(settings);
  return { ...settings, startedByScript: environment["npm_lifecycle_event"] !== undefined };
}

function read(environment: NodeJS.ProcessEnv) {
  const { api, ...server } = apiSettings(readSection(API, environment));
  const mail = readSection(MAIL, environment);
  return {
    ...homeSettings(readSection(HOME, environment)),
    ...server,
    api: { ...api, limits: readSection(LIMIT_SETTINGS, environment) },
    mail: mailSettings(mail),
    invitationUrl: invitationUrlSetting(mail),
    signIn: signInSettings(readSection(SIGN_IN, environment)),
    gateway: gatewaySettings(readSection(GATEWAY, environment)),
    metricsListen: metricsSettings(readSection(METRICS, environment)),
    traces: tracesSettings(readSection(TRACES, environment)),
  };
}

/**
 * Runs `work`, which must not wait, while the variables of home's collector are hidden. OpenTelemetry's exporter reads them by
 * itself: a region's collector would get the headers of home's, with its key.
 */
export function hidingCollector<Result>(work: () => Result): Result {
  const names = Object.keys(process.env).filter((name) => name.startsWith("OTEL_EXPORTER_OTLP_"));
  const hidden = names.map((name) => [name, process.env[name]] as const);
  for (const name of names) Reflect.deleteProperty(process.env, name);
  try {
    return work();
  } finally {
    for (const [name, value] of hidden) if (value !== undefined) process.env[name] = value;
  }
}

function refuseUnknown(environment: NodeJS.ProcessEnv): void {
  const known = new Set(SECTIONS.flatMap(({ fields }) => Object.values(fields).map((field) => variableOf(field).name)));
  const unknown = Object.keys(environment).filter((name) => name.startsWith("TENANTRY_") && !known.has(name));
  const [first] = unknown;
  if (first === undefined) return;
  const meant = nearestName(first, known);
  const hint = meant === undefined ? "" : ` Did you mean ${meant}?`;
  throw refused(
    `There is no environment variable ${unknown.join(", ")}.${hint} docs/reference/configuration.md lists all of them.`,
  );
}

/** In development whoever calls is the operator, so nobody calls from elsewhere, nor any page that a person visits. */
function requireLocal({
  host,
  everybodyIsOperator,
  api,
}: Pick<Settings, "host" | "everybodyIsOperator" | "api">): void {
  if (!isLoopback(host) && !everybodyIsOperator)
    throw refused(
      "HOST must be a loopback address such as 127.0.0.1 in development, where whoever reaches the API is the operator. Set TENANTRY_AUTH=bearer to have callers sign in. In a container whose port is published on 127.0.0.1 only, TENANTRY_EVERYBODY_IS_OPERATOR=true allows it.",
    );
  if (api.corsOrigins.includes("*")) throw refused("TENANTRY_CORS_ORIGINS must name its origins in development.");
}
