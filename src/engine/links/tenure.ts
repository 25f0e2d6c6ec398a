/**
 * The regions that this process carries, for as long as a session at home holds their locks. The locks end with the session,
 * so a dead process holds none; and when the session is lost, all that was asked for under it ends with it.
 */
import { delay, endsWithin } from "#base/kernel/wait";
import type { Wakeup } from "#base/kernel/wakeup";
import type { Session } from "#base/postgres/database";
import { failedAt } from "#base/postgres/failed-at";
import { whileHeld, type HeldTimes } from "#base/postgres/held-session";
import { isConnectionFailure } from "#base/postgres/sql-state";
import { LOCK_CLASS, tryLock, unlock } from "#base/postgres/session-lock";
import { listCarriedRegions } from "#engine/home/replicated-databases";
import type { CarriedRegion } from "#engine/links/carry-region";
import { NotOwner } from "#engine/regions/not-owner";
import type { Services } from "#engine/services";

/** How often regions are looked for that nobody carries, and how often at most. */
const LOOK_INTERVAL_MS = 1_000;
const LOOK_PAUSE_MS = 100;
/** Regions that are being taken over are waited for this long; then they are taken over beside what else is to do. */
const TAKE_WAIT_MS = 3_000;
/** Pause before a region that could not be taken over is tried again; doubles up to the maximum. */
const RETRY_MS = 1_000;
const MAX_RETRY_MS = 5_000;

export type Leading = {
  held: Partial<HeldTimes>;
  /** Is woken when a region is wanted that nobody here carries, or is to begin anew. */
  wanted: Wakeup;
  /** Regions that are to begin anew. */
  stale: Set<string>;
  carry: (regionId: string) => Promise<CarriedRegion>;
  /** A tenure has begun, or the one before has ended and there is none. */
  began: (tenure: Tenure | undefined) => void;
  looked: () => void;
  taken: (regionId: string, region: CarriedRegion) => void;
  /** It is carried here no longer, and about to be stopped. */
  givingUp: (regionId: string, region: CarriedRegion) => void;
};

/** Leads until the signal is aborted. Whenever the session breaks, another one is opened after a pause. */
export async function lead(services: Services, signal: AbortSignal, leading: Leading): Promise<void> {
  while (!signal.aborted) {
    const tenure = new Tenure(services, leading);
    try {
      await whileHeld(
        services.home,
        async (session) => {
          leading.began(tenure);
          while (!signal.aborted) {
            await tenure.look(session);
            leading.looked();
            await delay(LOOK_PAUSE_MS, signal).catch(() => undefined);
            await leading.wanted.sleep(LOOK_INTERVAL_MS, signal);
          }
          // Parked before others may take them.
          await tenure.end();
        },
        leading.held,
      );
    } catch (error) {
      services.logger.warn({ err: error }, "the session that holds the regions broke");
      await delay(LOOK_INTERVAL_MS, signal).catch(() => undefined);
    } finally {
      leading.began(undefined);
      // Its statements are refused by now, so nobody waits for it.
      void tenure.end();
    }
  }
}

/** `server`: `host:port` of the one that failed, where it is known; it can be home's. */
type Failure = { count: number; retryAt: number; server: string | undefined };

export class Tenure {
  readonly carried = new Map<string, CarriedRegion>();
  readonly #services: Services;
  readonly #leading: Leading;
  readonly #locked = new Set<string>();
  readonly #taking = new Map<string, Promise<void>>();
  /** Those that could not be taken over. */
  readonly #failures = new Map<string, Failure>();
  #isOver = false;
  #isLooking = false;

  constructor(services: Services, leading: Leading) {
    this.#services = services;
    this.#leading = leading;
  }

  /** Whether regions are just being given up and taken. */
  get isLooking(): boolean {
    return this.#isLooking;
  }

  /** Gives up what is no longer wanted, begins anew what is to, and takes what is free. */
  async look(session: Session<"home">): Promise<void> {
    this.#isLooking = true;
    try {
      await this.#look(session);
    } finally {
      this.#isLooking = false;
    }
  }

  async #look(session: Session<"home">): Promise<void> {
    const wanted = await listCarriedRegions({ home: session });
    const { stale } = this.#leading;
    const unwanted = [...this.#locked].filter((regionId) => {
      if (this.#taking.has(regionId)) return false;
      const isFailed = !this.carried.has(regionId);
      return isFailed || stale.has(regionId) || !wanted.includes(regionId);
    });
    await Promise.all(unwanted.map((regionId) => this.#giveUp(regionId)));
    for (const regionId of unwanted) {
      this.#locked.delete(regionId);
      // Another process may reach it.
      await unlock(session, LOCK_CLASS.region, regionId);
    }
    // Retired meanwhile: it never begins anew.
    for (const regionId of stale) if (!wanted.includes(regionId)) stale.delete(regionId);
    for (const regionId of wanted) {
      if (this.#locked.has(regionId)) continue;
      if (stale.delete(regionId)) this.#failures.delete(regionId);
      if ((this.#failures.get(regionId)?.retryAt ?? 0) > performance.now()) continue;
      if (!(await tryLock(session, LOCK_CLASS.region, regionId))) continue;
      this.#locked.add(regionId);
      this.#taking.set(regionId, this.#take(regionId));
    }
    // A region's server that does not answer keeps nobody from the other regions.
    if (this.#taking.size > 0) await endsWithin(Promise.all(this.#taking.values()), TAKE_WAIT_MS);
  }

  /** The server at `host:port` answers again. */
  answers(server: string): void {
    for (const region of this.carried.values())
      if (region.server === server) {
        region.carrier.mendNow();
        region.sweepSoon();
      }
    const failures = [...this.#failures.values()].filter((failure) => failure.server === server);
    for (const failure of failures) failure.retryAt = 0;
    if (failures.length > 0) this.#leading.wanted.wake();
  }

  /** Gives everything up. Resolves when all is parked, or was left behind. */
  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all([...this.carried.keys()].map((regionId) => this.#giveUp(regionId)));
  }

  async #take(regionId: string): Promise<void> {
    try {
      const region = await this.#leading.carry(regionId);
      this.carried.set(regionId, region);
      this.#failures.delete(regionId);
      // The lock has gone meanwhile.
      if (this.#isOver) await this.#giveUp(regionId);
      else this.#leading.taken(regionId, region);
    } catch (error) {
      if (this.#isOver) return;
      // It is said once that another home owns it, and not each time that it is looked at.
      const region = failedAt(error)?.region;
      // That its server is away is said once, where it is noticed (engine/regions/report-reach.ts).
      const level = region !== undefined && isConnectionFailure(error) ? "debug" : "warn";
      if (!(error instanceof NotOwner))
        this.#services.logger[level](
          { err: error, regionId, region },
          "a region could not be taken over; it will be tried again",
        );
      const count = (this.#failures.get(regionId)?.count ?? 0) + 1;
      const pauseMs = Math.min(RETRY_MS * 2 ** (count - 1), MAX_RETRY_MS);
      this.#failures.set(regionId, { count, retryAt: performance.now() + pauseMs, server: failedAt(error)?.server });
    } finally {
      this.#taking.delete(regionId);
    }
  }

  async #giveUp(regionId: string): Promise<void> {
    const region = this.carried.get(regionId);
    if (region === undefined) return;
    this.carried.delete(regionId);
    this.#leading.givingUp(regionId, region);
    if (!(await region.stop()))
      this.#services.logger.warn(
        { regionId },
        "a region's server does not answer: what was asked of it was left behind",
      );
  }
}
