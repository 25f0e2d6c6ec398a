import { createInterface } from "node:readline/promises";
import { Command } from "commander";
import { OPERATOR } from "#engine/auth/actor";
import { plain, print, printJson } from "#cli/output";
import { recordedCommand } from "#cli/recorded";
import { explain } from "#cli/reference";
import { withServices } from "#cli/services";
import { TenantryError } from "#base/kernel/errors";
import { adopt, type Adoption, isDue, planAdoption, type ServerToAdopt } from "#engine/regions/adopt";
import type { Services } from "#engine/services";

type Options = { yes?: boolean; json?: boolean };

/** `tenantry adopt`: makes this home the owner of regions that another home owns. */
export function adoptCommand(): Command {
  const command = new Command("adopt")
    .description(
      "Make this home the owner of its regions, in place of the home that owns them now. It shows which server is whose and asks before it changes anything. The other home is refused there from then on.",
    )
    .argument("[keys...]", "The keys of the regions. Without any: all of them, and home's server.")
    .option("--yes", "Do it without asking.")
    .option("--json", "Print one JSON object.")
    .action((keys: string[], options: Options) => withServices((services) => run(services, keys, options)));
  return explain(command, {
    example: "tenantry adopt",
    exitsWith1: "a server was not adopted",
    page: "how-to/back-up-home.md",
  });
}

async function run(services: Services, keys: readonly string[], { yes = false, json = false }: Options): Promise<void> {
  const plan = await planAdoption(services, OPERATOR, keys);
  const shown = plan.servers.map(({ server, standing, owner, databases, problem }) => ({
    server,
    standing,
    owner,
    databases,
    problem,
  }));
  const due = plan.servers.filter(isDue);
  if (!json) for (const line of shown.flatMap(describe)) print(plain(line));
  const isAgreed = due.length === 0 || yes || (!json && (await isConfirmed(due.length)));
  const failures = isAgreed ? await doIt(services, plan) : ["Nothing was changed."];
  if (json) printJson({ servers: shown, adopted: isAgreed, failures });
  else if (failures.length === 0) print(due.length === 0 ? "There is nothing to adopt." : "This home owns them now.");
  else for (const failure of failures) print(plain(failure));
  if (failures.length > 0) process.exitCode = 1;
}

async function doIt(services: Services, plan: Adoption): Promise<string[]> {
  if (!plan.servers.some(isDue)) return adopt(services, OPERATOR, plan);
  return recordedCommand(services, "adopt", {}, () => adopt(services, OPERATOR, plan));
}

function describe({ server, standing, owner, databases, problem }: ServerToAdopt): string[] {
  const whose = {
    OURS: "this home owns it",
    EARLIER: "this home owns it, since before it failed over or was restored",
    FREE: "no home owns it yet; this one will, when it next starts",
    AWAY: `it cannot be asked: ${problem}`,
    OTHER:
      owner === null
        ? "another home owns it"
        : `the home at ${owner.where ?? "an address that cannot be read"} owns it since ${owner.since}`,
  }[standing];
  const line = `${server}: ${whose}; ${databases} tenant databases`;
  if (standing !== "OTHER") return [line];
  return [
    line,
    "  This home would own the server and these databases. It would write its own members into them, and make their links anew.",
    "  The other home would be refused there: its callers, jobs and replication stop. What only it knows is not brought along.",
  ];
}

async function isConfirmed(servers: number): Promise<boolean> {
  if (!process.stdin.isTTY)
    throw new TenantryError("INVALID_INPUT", "Nothing was changed: nobody is there to ask. Run it again with --yes.");
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    const answer = await terminal.question(
      `Adopt ${servers === 1 ? "this server" : `these ${servers} servers`}? Type adopt to go on: `,
    );
    return answer.trim() === "adopt";
  } finally {
    terminal.close();
  }
}
