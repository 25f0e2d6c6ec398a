import { buildConsole } from "#cli/build-console";
import { loadModules } from "#cli/load-modules";
import { Command } from "commander";
import { ENGINES_JOURNEY, ENGINES_OVERVIEW } from "#app/journey";
import { dataFolder, EMBEDDED_SERVERS, exportFolder } from "#cli/embedded-servers";
import { explain } from "#cli/reference";
import { requireFreePort } from "#cli/require-free-port";
import { readConfig, type Settings } from "#config";
import { type Cluster, startCluster } from "#embedded/cluster";
import { parentOf } from "#embedded/processes";
import type { DeclaredTables } from "#engine/tables";
import { startApp } from "#main";
import { loadProject, type Project } from "#project/load-project";
import { refuseOtherTables } from "#project/manifest";
import { createLogger, type LogFormat, type Logger } from "#base/observability/logger";
import { surviveFailures } from "#base/observability/process-failures";
import { TenantryError } from "#base/kernel/errors";

/** How often it is looked whether the package manager that started us is still there. */
const LAUNCHER_LOOK_MS = 500;

/** `tenantry start`: embedded servers unless DATABASE_URL is set, the API, the job runner. */
export function startCommand(): Command {
  const command = new Command("start").description(
    "Start the API, jobs, replication and the gateway, or the part of them that TENANTRY_ROLE names. Without DATABASE_URL three embedded PostgreSQL servers start too. Ctrl-C stops everything, and the data stays.",
  );
  return explain(command.action(start), { example: "tenantry start", page: "how-to/deploy.md" });
}

async function start(): Promise<void> {
  const settings = readConfig();
  const project = await loadProject(process.cwd());
  await requireFreePort(settings);
  const logFormat = settings.logFormat ?? (process.stdout.isTTY ? "text" : "json");
  const logger = createLogger({ level: settings.logLevel, format: logFormat });
  const voice = voiceOf(logFormat, logger);
  const { say } = voice;
  await using stack = new AsyncDisposableStack();
  if (settings.api.console !== false && settings.role !== "worker") stack.defer(buildConsole(say));
  // Pressed while things start: they are taken down again once they are up.
  const stopped = untilStopped(settings.startedByScript);
  let cluster: Cluster | undefined;
  if (settings.databaseUrl === undefined) {
    cluster = await startCluster({
      dataDir: dataFolder(settings),
      servers: EMBEDDED_SERVERS,
      onProgress: say,
    });
    stack.defer(async () => {
      say("Stopping the PostgreSQL servers …");
      await cluster?.stop();
    });
  }
  say("Preparing the home database …");
  const regionUrls = cluster === undefined ? undefined : { eu: serverUrl(cluster, "eu"), us: serverUrl(cluster, "us") };
  const app = await startApp({
    ...settings,
    ...connection(settings, cluster),
    exportFolder: exportFolder(settings),
    logFormat,
    logger,
    regionUrls,
    ...(project === undefined ? {} : await projectOptions(project)),
  });
  // Not before: what fails while things start ends the start, with one sentence.
  stack.use(surviveFailures({ logger: app.services.logger, metrics: app.metrics }));
  stack.defer(async () => {
    say("Stopping …");
    await app.close();
  });
  if (project !== undefined)
    say(`The tables are those of ${project.migrationsName} (${project.migrations.at(-1)?.file ?? "no migration"}).`);
  voice.greet(app.url, { regionUrls, signIn: settings.signIn.mode, hasConsole: settings.api.console !== false });
  await stopped;
}

function connection(
  { databaseUrl, secretKey }: Pick<Settings, "databaseUrl" | "secretKey">,
  cluster: Cluster | undefined,
): { databaseUrl: string; secretKey: string } {
  if (cluster !== undefined)
    return {
      databaseUrl: cluster.servers.get("home")?.url("tenantry") ?? "",
      secretKey: secretKey ?? cluster.secretKey,
    };
  if (databaseUrl === undefined || secretKey === undefined)
    throw new TenantryError("INTERNAL", "The settings name neither a database nor embedded servers.");
  return { databaseUrl, secretKey };
}

/** A team's own tables in place of those of the app that ships, and of its part of the API. */
async function projectOptions(project: Project) {
  const { tenantSchema, eraseSql, invitationTemplate, manifest } = project;
  const modules = await loadModules(project);
  return {
    application: {
      tenantSchema,
      eraseSql,
      invitationTemplate,
      modules,
      journey: ENGINES_JOURNEY,
      overview: ENGINES_OVERVIEW,
    },
    checkTables: (tables: DeclaredTables) => {
      if (manifest !== undefined) refuseOtherTables(manifest, project, tables);
    },
  };
}

function serverUrl(cluster: Cluster, name: string): string {
  return cluster.servers.get(name)?.url() ?? "";
}

type Greeted = {
  regionUrls: Record<string, string> | undefined;
  signIn: Settings["signIn"]["mode"];
  hasConsole: boolean;
};

/** How it is said what happens: to people as plain lines, or in the log, as all that stands there is JSON then. */
type Voice = {
  say: (line: string) => void;
  greet: (url: string | undefined, greeted: Greeted) => void;
};

function voiceOf(format: LogFormat, logger: Logger): Voice {
  if (format !== "text")
    return {
      say: (line) => logger.info(line),
      greet: (url, { regionUrls, signIn }) => {
        if (url === undefined) return logger.info("Tenantry's worker is running");
        // The embedded regions' URLs hold passwords. The explorer has them.
        const next = regionUrls === undefined ? nextCommands(signIn).map(({ command }) => command) : undefined;
        logger.info({ url, next }, "Tenantry is running");
      },
    };
  const say = (line: string) => process.stdout.write(`${line}\n`);
  return { say, greet: (...greeted) => greet(say, ...greeted) };
}

function greet(say: Voice["say"], url: string | undefined, { regionUrls, signIn, hasConsole }: Greeted): void {
  if (url === undefined) return say("Tenantry's worker is running.");
  const address = url.replace(/127\.0\.0\.1|0\.0\.0\.0|\[::\]/, "localhost");
  say(`\nTenantry is running.\n\n  Explorer and API   ${address}`);
  if (hasConsole) say(`  Console            ${address}/console`);
  if (regionUrls !== undefined) {
    say("\n  Connection URLs to register as regions (the explorer has them filled in):");
    for (const [key, regionUrl] of Object.entries(regionUrls)) say(`    ${key}   ${regionUrl}`);
  } else {
    say("\n  What is next, with the same environment:");
    for (const { command, does } of nextCommands(signIn)) say(`    ${command.padEnd(45)}   ${does}`);
  }
  say("\nCtrl-C stops it; the data stays.\n");
}

function nextCommands(signIn: Settings["signIn"]["mode"]): { command: string; does: string }[] {
  const makeKey = { command: 'tenantry key create --operator --name "first"', does: "makes a key to sign in with" };
  return [
    ...(signIn === "bearer" ? [makeKey] : []),
    { command: "tenantry region add eu", does: "registers a region; it asks for the connection URL" },
    { command: "tenantry status", does: "says what runs" },
  ];
}

/**
 * Resolves at the first SIGINT or SIGTERM. A second one is left to the system and ends the process at once. Package
 * managers end at a signal without passing it on through the shell between them and us, so their end counts too.
 */
function untilStopped(startedByScript: boolean): Promise<void> {
  return new Promise((resolve) => {
    const launchers = [process.ppid, parentOf(process.ppid)].join();
    const timer = setInterval(() => {
      if (startedByScript && [process.ppid, parentOf(process.ppid)].join() !== launchers) stop();
    }, LAUNCHER_LOOK_MS).unref();
    const stop = () => {
      clearInterval(timer);
      process.off("SIGINT", stop);
      process.off("SIGTERM", stop);
      resolve();
    };
    process.on("SIGINT", stop);
    process.on("SIGTERM", stop);
  });
}
