/** What can happen to the servers and to what replication has there. Each may fail where its victim is away already. */
import type { PostgresServer } from "../../src/embedded/postgres-server.ts";
import type { Forwarder } from "../support/forwarder.ts";
import type { Random } from "../support/random.ts";
import type { TenantryProcesses } from "../support/tenantry-processes.ts";
import { byHand, type Tenant } from "./random-work.ts";

export type Victims = {
  processes: TenantryProcesses;
  servers: Record<string, PostgresServer>;
  /** By which Tenantry reaches each of them. */
  paths: readonly Forwarder[];
  homeUrl: string;
  tenants: readonly Tenant[];
};

type Link = { name: string; publisher: string; subscriber: string };
type Happening = (random: Random, victims: Victims) => Promise<unknown> | void;

function someLink(random: Random, { tenants, homeUrl }: Victims): Link {
  const { database, url } = random.pick(tenants);
  return random.below(2) === 0
    ? { name: `${database}_directory`, publisher: homeUrl, subscriber: url }
    : { name: `${database}_catalog`, publisher: url, subscriber: homeUrl };
}

/** Something done by hand to a link. */
function toLink(statements: (link: Link) => [url: string, ...statements: string[]]): Happening {
  return (random, victims) => byHand(...statements(someLink(random, victims)));
}

/** Ends server processes on one server. */
function ending(which: string): Happening {
  return (random, { servers }) =>
    byHand(
      random.pick(Object.values(servers)).url("postgres"),
      `select pg_terminate_backend(pid) from pg_stat_activity where ${which}`,
    );
}

async function crash(random: Random, { servers }: Victims): Promise<void> {
  const server = random.pick(Object.values(servers));
  if (random.below(2) === 0) await server.kill();
  else await server.stop("immediate");
  if (random.below(2) === 0) await random.moment(2_500);
  await server.start();
}

/** A path swallows what is sent, without a word to either side, and then passes again. */
function swallowing(which: "both" | "answers"): Happening {
  return async (random, { paths }) => {
    using _ = random.pick(paths).swallow(which);
    await random.moment(4_000);
  };
}

/** What ends and comes back, and what a person switches: nothing of it is mended by a reseed. */
const INTERRUPTIONS: Record<string, Happening> = {
  "kill an API": (random, { processes }) => processes.killOne(random, "api"),
  "kill a worker": (random, { processes }) => processes.killOne(random, "worker"),
  "crash a server": crash,
  "end walsenders": ending("backend_type = 'walsender'"),
  "end apply workers": ending("backend_type ~ '^logical replication .*worker$'"),
  "end Tenantry's connections": ending("application_name like 'tenantry%'"),
  "end one connection of Tenantry": ending(
    "pid = (select pid from pg_stat_activity where application_name like 'tenantry%' order by random() limit 1)",
  ),
  "a black hole": swallowing("both"),
  "a path that passes one way only": swallowing("answers"),
  "connections that are forgotten": (random, { paths }) => void random.pick(paths).forget(),
  "enable a subscription": toLink(({ subscriber, name }) => [subscriber, `alter subscription ${name} enable`]),
  "disable a subscription": toLink(({ subscriber, name }) => [subscriber, `alter subscription ${name} disable`]),
};

const DAMAGES: Record<string, Happening> = {
  "drop a slot": toLink(({ publisher, name }) => [
    publisher,
    `select pg_terminate_backend(active_pid, 1000) from pg_replication_slots where slot_name = '${name}' and active`,
    `select pg_drop_replication_slot('${name}')`,
  ]),
  "drop a subscription": toLink(({ subscriber, name }) => [
    subscriber,
    `alter subscription ${name} disable`,
    `alter subscription ${name} set (slot_name = none)`,
    `drop subscription ${name}`,
  ]),
  "drop a publication": toLink(({ publisher, name }) => [publisher, `drop publication ${name}`]),
  "take a subscription's slot off": toLink(({ subscriber, name }) => [
    subscriber,
    `alter subscription ${name} disable`,
    `alter subscription ${name} set (slot_name = none)`,
  ]),
};

/** One random disturbance; its name, with what came of it. Without `damage` nothing is taken away from replication. */
export async function disturb(random: Random, victims: Victims, { damage }: { damage: boolean }): Promise<string> {
  const [name, happen] = random.pick(Object.entries(damage ? { ...INTERRUPTIONS, ...DAMAGES } : INTERRUPTIONS));
  try {
    await happen(random, victims);
    return name;
  } catch (error) {
    return `${name} (${error instanceof Error ? error.message : "failed"})`;
  }
}
