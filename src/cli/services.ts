/** Services for commands that look or act and end, on the home that `tenantry start` uses. */
import { TENANT_SCHEMA } from "#app/schema";
import { readConfig, type Settings } from "#config";
import { embeddedHome, exportFolder } from "#cli/embedded-servers";
import { TenantryError } from "#base/kernel/errors";
import type { Tracing } from "#base/kernel/span";
import { createLogger, type Logger } from "#base/observability/logger";
import { inSpan } from "#base/observability/spans";
import { runningCommand } from "#cli/running-command";
import type { Services } from "#engine/services";
import { loadProject } from "#project/load-project";
import { refuseOtherTables } from "#project/manifest";
import { closeServices, createServices, openTracing } from "#services";

/** Runs a command's work. Migrates nothing: a home of another version is refused. */
export async function withServices(work: (services: Services) => Promise<void>): Promise<void> {
  const settings = readConfig();
  const project = await loadProject(process.cwd());
  const { databaseUrl, secretKey } = settings.databaseUrl === undefined ? embedded(settings) : settings;
  if (databaseUrl === undefined || secretKey === undefined)
    throw new TenantryError("INVALID_INPUT", "DATABASE_URL and TENANTRY_SECRET_KEY must both be set.");
  const logger = createLogger({ level: "error", format: process.stderr.isTTY ? "text" : "json" });
  const options = {
    ...settings,
    databaseUrl,
    secretKey,
    exportFolder: exportFolder(settings),
    // No command sends mails.
    mail: undefined,
    logger,
    migrateHome: false,
    tenantSchema: project?.tenantSchema ?? TENANT_SCHEMA,
    eraseSql: project?.eraseSql,
  };
  await traced(settings, logger, async (tracing) => {
    const services = await createServices({ ...options, tracing });
    try {
      if (project?.manifest !== undefined) refuseOtherTables(project.manifest, project, services.tables);
      await work(services);
    } finally {
      await closeServices(services);
    }
  });
}

/** With a trace of its own where a collector is named. */
async function traced(
  { traces }: Settings,
  logger: Logger,
  work: (tracing: Tracing | undefined) => Promise<void>,
): Promise<void> {
  const tracing = await openTracing(traces, logger);
  if (tracing === undefined) return work(undefined);
  try {
    await inSpan(tracing.begin(`command ${runningCommand()}`, "internal", {}), () => work(tracing));
  } finally {
    await tracing.shutdown();
  }
}

function embedded(settings: Settings): { databaseUrl: string; secretKey: string } {
  const home = embeddedHome(settings);
  if (home === undefined)
    throw new TenantryError(
      "INVALID_INPUT",
      "There is no Tenantry here yet: run tenantry start first (in a checkout: npx pnpm@12 start), or set DATABASE_URL.",
    );
  return { databaseUrl: home.databaseUrl, secretKey: settings.secretKey ?? home.secretKey };
}
