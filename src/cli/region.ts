import { Command } from "commander";
import { OPERATOR } from "#engine/auth/actor";
import { output, type OutputOptions, table } from "#cli/output";
import { readSecret } from "#cli/prompt";
import { onRegion, recordedCommand } from "#cli/recorded";
import { explain } from "#cli/reference";
import { withServices } from "#cli/services";
import { invalidInput } from "#base/kernel/errors";
import { type Coordinates, parseCoordinates } from "#engine/regions/coordinates";
import { checkRegion } from "#engine/regions/probe-regions";
import { getRegion, listRegions, type Region } from "#engine/regions/regions";
import type { PoolerCheck } from "#engine/regions/pooler";
import { readRegionRoom, type ServerRoom } from "#engine/regions/region-room";
import { registerRegion, updateRegion } from "#engine/regions/register-region";
import { retireRegionAfterMoves } from "#engine/moves/empty-region";
import { tryRegion } from "#engine/regions/try-server";

/** `--no-pool-url` makes it false. */
type UrlOptions = OutputOptions & {
  name?: string;
  url?: string;
  poolUrl?: string | false;
  coordinates?: string | false;
};

type RetireOptions = OutputOptions & { abandonServer?: boolean; moveTo?: string; through?: boolean };

const KEY = "The key of the region.";
const POOL_URL_HELP = "A connection pooler in front of the server, for the API, such as postgres://host:6432.";
const COORDINATES_HELP = "Where it is on the map of the console, such as 50.11,8.68: the latitude and the longitude.";
const PAGE = "how-to/register-a-region.md";

/** `tenantry region`: the servers that organizations can be placed on. */
export function regionCommand(): Command {
  return new Command("region")
    .description("Add, list, check, update and retire regions.")
    .addCommand(addCommand())
    .addCommand(listCommand())
    .addCommand(checkCommand())
    .addCommand(updateCommand())
    .addCommand(retireCommand());
}

function addCommand(): Command {
  const command = new Command("add")
    .description("Register a PostgreSQL server as a region, after probing it.")
    .argument("<key>", "The key of the new region, as in eu.")
    .option("--name <name>", "The name for people. Without it: the key.")
    .option(
      "--url <url>",
      "The connection URL of the server, without a database name. Without it the URL is read from standard input. A terminal asks for it and does not show it.",
    )
    .option("--pool-url <url>", POOL_URL_HELP)
    .option("--coordinates <coordinates>", COORDINATES_HELP)
    .option("--json", "Print one JSON object.")
    .action((key: string, options: UrlOptions) =>
      withServices(async (services) => {
        const coordinates = placeOf(options.coordinates);
        const connectionUrl = options.url ?? (await readUrl());
        const input = { key, name: options.name ?? key, connectionUrl, poolUrl: nullOf(options.poolUrl), coordinates };
        const added = await recordedCommand(
          services,
          "registerRegion",
          { subjectKind: "REGION" },
          () => registerRegion(services, OPERATOR, input),
          () => ({ subjectId: key }),
        );
        output(options, added, regionTable([added]));
      }),
    );
  return explain(command, { example: "tenantry region add eu --name Europe < url-of-eu.txt", page: PAGE });
}

function listCommand(): Command {
  const command = new Command("list")
    .description("List the regions.")
    .option("--json", "Print one JSON object.")
    .action((options: OutputOptions) =>
      withServices(async (services) => {
        const regions = await listRegions(services);
        output(options, { regions }, regionTable(regions));
      }),
    );
  return explain(command, { example: "tenantry region list" });
}

function checkCommand(): Command {
  const command = new Command("check")
    .description(
      "Say what a region's server is, what its role may do there, and what it has room for. Home's server and the region's both connect to the gateway, as a try.",
    )
    .argument("<key>", KEY)
    .option("--json", "Print one JSON object.")
    .action((key: string, options: OutputOptions) => withServices((services) => check(services, key, options)));
  return explain(command, {
    example: "tenantry region check eu",
    exitsWith1: "the server cannot take a tenant database",
    page: PAGE,
  });
}

function retireCommand(): Command {
  const command = new Command("retire")
    .description(
      "Take a region out of service. A worker removes what is left on its server. Placements in it are moved first with --move-to.",
    )
    .argument("<key>", KEY)
    .option("--abandon-server", "Leave the server as it is, for one that is gone for good.")
    .option("--move-to <region>", "Move its placements to the region with this key first. A worker does that.")
    .option("--through", "With --move-to: let content pass a worker that works for neither region.")
    .option("--json", "Print one JSON object.")
    .action((key: string, options: RetireOptions) =>
      withServices(async (services) => {
        const { moveTo = null } = options;
        const input = {
          key,
          abandonServer: options.abandonServer === true,
          moveTo,
          throughOthers: options.through === true,
        };
        const retired = await recordedCommand(services, "retireRegion", onRegion(key), () =>
          retireRegionAfterMoves(services, OPERATOR, input),
        );
        output(options, retired, [
          moveTo === null
            ? `${retired.key} takes no more grants; a worker removes what is left on its server.`
            : `A worker moves what is in ${retired.key} to ${moveTo}, and retires ${retired.key} then: see tenantry jobs.`,
        ]);
      }),
    );
  return explain(command, { example: "tenantry region retire eu" });
}

/** A URL on the command line is seen by everybody on the machine. */
async function readUrl(): Promise<string> {
  const [first = "", ...rest] = (await readSecret("Connection URL of the server"))
    .split("\n")
    .map((line) => line.trim());
  if (rest.length > 0) throw invalidInput("connectionUrl", "Standard input is one line: the connection URL.");
  return first;
}

/** Null: none any more; undefined: as it is. */
function nullOf(url: string | false | undefined): string | null | undefined {
  return url === false ? null : url;
}

/** The same of a place on the map. */
function placeOf(text: string | false | undefined): Coordinates | null | undefined {
  if (typeof text === "string") return parseCoordinates("coordinates", text);
  return text === false ? null : undefined;
}

function updateCommand(): Command {
  const command = new Command("update")
    .description(
      "Change a region's name, pooler or place on the map, or its server's address or password. What is not named stays as it is. Without an option the new connection URL is read from standard input.",
    )
    .argument("<key>", KEY)
    .option("--name <name>", "The new name for people.")
    .option(
      "--url <url>",
      "The new connection URL of the server, without a database name. Others on the machine can see a command line.",
    )
    .option("--pool-url <url>", POOL_URL_HELP)
    .option("--no-pool-url", "Use no pooler any more: the API reaches the server itself.")
    .option("--coordinates <coordinates>", COORDINATES_HELP)
    .option("--no-coordinates", "Leave it off the map.")
    .option("--json", "Print one JSON object.")
    .action((key: string, options: UrlOptions) =>
      withServices(async (services) => {
        const { name, poolUrl } = options;
        const coordinates = placeOf(options.coordinates);
        // Whatever is given leaves the rest as it is.
        const isGiven = [name, poolUrl, coordinates].some((one) => one !== undefined);
        const connectionUrl = options.url ?? (isGiven ? null : await readUrl());
        const input = { key, name: name ?? null, connectionUrl, poolUrl: nullOf(poolUrl), coordinates };
        const updated = await recordedCommand(services, "updateRegion", onRegion(key), () =>
          updateRegion(services, OPERATOR, input),
        );
        const { changed } = updated;
        output(options, updated, [...regionTable([updated]), ...(changed === undefined ? [] : [changed])]);
      }),
    );
  return explain(command, { example: "tenantry region update eu < new-url.txt", page: "how-to/move-a-server.md" });
}

type Services = Parameters<Parameters<typeof withServices>[0]>[0];

async function check(services: Services, key: string, options: OutputOptions): Promise<void> {
  const region = await getRegion(services, key);
  const { probe, obstacle = null, advice, pooler } = await checkRegion(services, OPERATOR, region);
  const { servers, shortage = null } = await readRegionRoom(services, OPERATOR, region);
  const cannotConnect = await tryRegion(services, OPERATOR, region);
  const addresses = await describeAddresses(services, region);
  const wrong = [obstacle, ...cannotConnect, shortage].filter((sentence) => sentence !== null);
  output(options, { ...probe, addresses, pooler, obstacle, cannotConnect, advice, servers, shortage }, [
    `PostgreSQL ${probe.version}, role ${probe.role}, subscriptions by ${probe.subscriptionMethod ?? "nothing"}`,
    `Tenantry connects to the region at ${addresses.region}, to home at ${addresses.home}`,
    `The region's server connects to the gateway at ${addresses.gateway}, home's server at ${addresses.gatewayOfHome}`,
    ...(pooler === null ? [] : [describePooler(pooler)]),
    ...servers.flatMap(describeRoom),
    ...advice,
    ...(wrong.length > 0 ? wrong : ["It will do."]),
  ]);
  if (wrong.length > 0) process.exitCode = 1;
}

function describeRoom({ server, standing, connections }: ServerRoom): string[] {
  const line = (cells: readonly (string | number)[]) =>
    `  ${String(cells[0]).padEnd(34)}${cells
      .slice(1)
      .map((cell) => String(cell).padStart(9))
      .join("")}`;
  return [
    line([server, "limit", "ours", "others'", "reserve", "left"]),
    ...standing.map(({ setting, limit, ours, others, reserve, left }) =>
      line([setting, limit ?? "-", ours, others, reserve, left ?? "-"]),
    ),
    ...connections.map(({ database, connections: open }) => `    ${open} to ${database}`),
  ];
}

/** Who connects where, without what signs in there. */
async function describeAddresses({ homeAddress, border }: Services, region: Region) {
  const at = ({ host, port }: { host: string; port: number }) => `${host}:${port}`;
  const gateway = await border.addresses();
  return {
    region: at(region),
    home: at(homeAddress),
    gateway: at(gateway.regions),
    gatewayOfHome: at(gateway.home),
  };
}

function describePooler({
  host,
  port,
  preparedStatements,
  carriesPreparedStatements: can,
  obstacle,
}: PoolerCheck): string {
  const prepared = `prepared statements ${preparedStatements ? "on" : "off"}`;
  if (obstacle !== null) return `Pooler ${host}:${port}, ${prepared}, not to be used`;
  const more =
    can === true && !preparedStatements ? ", which it carries: prepared_statements=true in its URL turns them on" : "";
  return `Pooler ${host}:${port} leads to this server, ${prepared}${more}`;
}

function regionTable(regions: readonly Region[]): string[] {
  const rows = regions.map(({ key, name, host, port, subscriptionMethod }) => [
    key,
    name,
    `${host}:${port}`,
    subscriptionMethod,
  ]);
  return table(["KEY", "NAME", "SERVER", "SUBSCRIPTIONS"], rows, "No regions.");
}
