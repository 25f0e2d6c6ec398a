/** Repair: removes what is half made and holds nothing, and sets jobs going that nobody works on. */
import { type Actor, OPERATOR } from "#engine/auth/actor";
import { authorizeOperator } from "#engine/auth/policy";
import { getRegion } from "#engine/regions/regions";
import { MAINTENANCE_DATABASE } from "#engine/servers/server-probe";
import { tellOperator } from "#engine/failures/explain";
import { namingWhatIsInTheWay } from "#engine/placements/in-the-way";
import { clockMs } from "#base/kernel/clock";
import { quoteIdentifier } from "#base/postgres/identifiers";
import { findOrphans, findStuckPlacements, type Orphan } from "#engine/doctor/find-orphans";
import { findErasureDifferences, requestReviews } from "#engine/erasure/review-erasures";
import { dropSubscriptionNamed } from "#engine/replication/subscription";
import { onPlacement, requestJob, requesterOf } from "#engine/jobs/job";
import { runHere } from "#engine/jobs/job-here";
import { GRACE_MS } from "#engine/placements/revoke-region-access";
import type { Services } from "#engine/services";

/** What was done about one thing, or why nothing was. */
export type Repair = { server: string; what: string; done: boolean; outcome: string };

/**
 * Mends what can be mended without losing anything. A database that holds rows, or whose rows cannot be counted, is dropped
 * only when `drop` names it. For the operator.
 */
export function repair(services: Services, actor: Actor, drop: readonly string[]): Promise<Repair[]> {
  authorizeOperator(actor);
  return runHere(services, requesterOf(actor), { kind: "repair", subject: "repair" }, (run) =>
    run.step("repair", async () => {
      const orphans = await findOrphans(services);
      const order: Orphan["kind"][] = ["subscription", "slot", "publication", "database"];
      const repairs: Repair[] = [];
      for (const kind of order)
        for (const orphan of orphans.filter((one) => one.kind === kind))
          repairs.push(await repairOne(services, orphan, drop));
      return [...repairs, ...(await resumeStuck(services)), ...(await eraseAgain(services))];
    }),
  );
}

async function repairOne(
  services: Pick<Services, "home" | "ownership" | "pools">,
  orphan: Orphan,
  drop: readonly string[],
): Promise<Repair> {
  const what = `${orphan.kind} ${orphan.name}`;
  if (orphan.kind === "database" && orphan.rows !== 0 && !drop.includes(orphan.name)) {
    const holds = orphan.rows === null ? "what it holds cannot be read" : `it holds ${orphan.rows} rows`;
    const outcome = `left as it is: ${holds}; --drop ${orphan.name} drops it`;
    return { server: orphan.server, what, done: false, outcome };
  }
  try {
    await requireServer(services, orphan.server);
    await dropOrphan(services, orphan);
    return { server: orphan.server, what, done: true, outcome: "dropped" };
  } catch (error) {
    return { server: orphan.server, what, done: false, outcome: `not dropped: ${tellOperator(error)}` };
  }
}

/** What another home knows is no orphan of this one. */
async function requireServer(services: Pick<Services, "home" | "ownership">, server: string): Promise<void> {
  if (server === "home") return services.ownership.requireHome();
  await services.ownership.require((await getRegion(services, server)).id);
}

async function dropOrphan(services: Pick<Services, "pools">, { address, kind, name, database }: Orphan): Promise<void> {
  const quoted = quoteIdentifier(name);
  await services.pools.once(address, kind === "database" ? MAINTENANCE_DATABASE : database, async (connection) => {
    if (kind === "database")
      await namingWhatIsInTheWay(connection, name, () =>
        connection.query("repair.database", `drop database if exists ${quoted} with (force)`),
      );
    if (kind === "publication") await connection.query("repair.publication", `drop publication if exists ${quoted}`);
    if (kind === "slot")
      await connection.query(
        "repair.slot",
        "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1",
        [name],
      );
    if (kind === "subscription") await dropSubscriptionNamed(connection, name);
  });
}

async function eraseAgain(services: Pick<Services, "border" | "home" | "pools" | "secrets">): Promise<Repair[]> {
  const differing = (await findErasureDifferences(services)).filter(
    ({ forgottenAtHome, forgottenThere }) => forgottenAtHome.length + forgottenThere.length > 0,
  );
  if (differing.length > 0) await requestReviews(services.home);
  return differing.map(({ database, forgottenAtHome, forgottenThere }) => ({
    server: "home",
    what: `${forgottenAtHome.length + forgottenThere.length} erasures`,
    done: true,
    outcome: `in ${database}: done again by jobs`,
  }));
}

async function resumeStuck(services: Pick<Services, "home">): Promise<Repair[]> {
  const repairs: Repair[] = [];
  for (const stuck of await findStuckPlacements(services)) {
    // Whoever asked for a move asks for it again, or cancels it.
    if (stuck.isWaiting || stuck.state === "MOVING") continue;
    const isMade = stuck.state !== "PROVISIONING" && stuck.state !== "FAILED";
    await requestJob(services.home, requesterOf(OPERATOR), {
      ...onPlacement(isMade ? "revoke-placement" : "provision-placement", stuck),
      // A suspended one keeps the rest of its grace.
      ...(stuck.state === "SUSPENDED" ? { dueAt: stuck.dropAfter ?? new Date(clockMs() + GRACE_MS) } : {}),
    });
    repairs.push({
      server: "home",
      what: `placement ${stuck.id}`,
      done: true,
      outcome: `${stuck.state}: set going again`,
    });
  }
  return repairs;
}
