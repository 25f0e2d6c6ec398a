/**
 * Carries out a fleet plan: canaries, waves, then what had to wait. It makes no choices of its own about order or bounds
 * and knows nothing of databases: `migrate` does one.
 */
import {
  failuresAllowed,
  type FleetDatabase,
  type FleetLimits,
  type FleetPlan,
  nextToStart,
} from "#engine/fleet/fleet-plan";

/**
 * What came of one try. `blocked`: something in the database was in the way, such as a long transaction. `unreachable`: so
 * is its server. Both are tried again after all others; `failed` is not.
 */
export type Attempt<Done> =
  | { readonly kind: "done"; readonly result: Done }
  | { readonly kind: "blocked" | "unreachable" | "failed"; readonly reason: string };

export type FleetEvent<Done> = {
  readonly database: FleetDatabase;
  readonly attempt: Attempt<Done>;
  readonly ms: number;
};

export type FleetProgress = {
  readonly due: number;
  readonly done: number;
  readonly failed: number;
  /** Put off until all others were tried. */
  readonly deferred: number;
  readonly perSecond: number;
  /** Until all are done, at the rate so far; undefined before there is one. */
  readonly secondsLeft: number | undefined;
};

export type FleetOutcome<Done> = {
  readonly done: readonly { database: FleetDatabase; result: Done }[];
  readonly failed: readonly { database: FleetDatabase; reason: string }[];
  /** Not tried, or put off, when the run stopped. */
  readonly left: readonly FleetDatabase[];
  /** Why it stopped before all were tried; undefined: it did not. */
  readonly stopped: string | undefined;
};

export type FleetExecution<Done> = {
  readonly limits: FleetLimits;
  /** 0 to 1; when more of those due have failed, nothing more is begun. */
  readonly maxFailureShare: number;
  /** `last`: there is no later try, so it pays to be patient. */
  readonly migrate: (database: FleetDatabase, options: { last: boolean }) => Promise<Attempt<Done>>;
  readonly onEvent?: (event: FleetEvent<Done>, progress: FleetProgress) => void;
  /** When aborted, nothing more is begun. */
  readonly signal?: AbortSignal | undefined;
};

export class FleetExecutor<Done> {
  readonly #plan: FleetPlan;
  readonly #options: FleetExecution<Done>;
  readonly #started = performance.now();
  readonly #due: number;
  readonly #done: { database: FleetDatabase; result: Done }[] = [];
  readonly #failed: { database: FleetDatabase; reason: string }[] = [];
  #deferred: FleetDatabase[] = [];
  /** Servers that did not answer, with the reason: their other databases need not find out one by one. */
  #down = new Map<string, string>();
  #stopped: string | undefined;

  constructor(plan: FleetPlan, options: FleetExecution<Done>) {
    this.#plan = plan;
    this.#options = options;
    this.#due = plan.canaries.length + plan.waves.flat().length;
  }

  /** The canaries. Where none of them could be tried, the first that can be takes their place. */
  async runCanaries(): Promise<void> {
    await this.#run(this.#plan.canaries, { canary: true });
    if (this.#plan.canaries.length === 0) return;
    for (const database of this.#plan.waves.flat()) {
      if (this.#done.length > 0 || this.#stopped !== undefined) return;
      await this.#run([database], { canary: true });
    }
  }

  /** The waves, then those that were in the way of something or on a server that did not answer. */
  async runWaves(): Promise<void> {
    const tried = new Set(
      [...this.#done, ...this.#failed].map(({ database }) => database.id).concat(this.#deferred.map(({ id }) => id)),
    );
    for (const wave of this.#plan.waves) await this.#run(wave.filter(({ id }) => !tried.has(id)));
    const deferred = this.#deferred;
    this.#deferred = [];
    this.#down = new Map();
    await this.#run(deferred, { last: true });
  }

  outcome(): FleetOutcome<Done> {
    const seen = new Set([...this.#done, ...this.#failed].map(({ database }) => database.id));
    const planned = [...this.#plan.canaries, ...this.#plan.waves.flat()];
    const left = planned.filter(({ id }) => !seen.has(id));
    return { done: this.#done, failed: this.#failed, left, stopped: this.#stopped };
  }

  async #run(databases: readonly FleetDatabase[], stage: { canary?: boolean; last?: boolean } = {}): Promise<void> {
    const waiting = [...databases];
    const running = new Map<FleetDatabase, Promise<void>>();
    for (;;) {
      const index = this.#mayBegin() ? nextToStart(waiting, running.keys(), this.#options.limits) : undefined;
      const [next] = index === undefined ? [] : waiting.splice(index, 1);
      if (next !== undefined) {
        const task = this.#one(next, stage).finally(() => running.delete(next));
        running.set(next, task);
      } else if (running.size > 0) await Promise.race(running.values());
      else return;
    }
  }

  #mayBegin(): boolean {
    if (this.#options.signal?.aborted === true) this.#stopped ??= "It was interrupted.";
    return this.#stopped === undefined;
  }

  async #one(database: FleetDatabase, { canary = false, last = false }): Promise<void> {
    const started = performance.now();
    const down = this.#down.get(database.regionKey);
    const attempt: Attempt<Done> =
      down === undefined ? await this.#options.migrate(database, { last }) : { kind: "unreachable", reason: down };
    this.#record(database, attempt, { canary, last });
    this.#options.onEvent?.({ database, attempt, ms: performance.now() - started }, this.#progress());
  }

  #record(database: FleetDatabase, attempt: Attempt<Done>, { canary, last }: { canary: boolean; last: boolean }): void {
    if (attempt.kind === "done") {
      this.#done.push({ database, result: attempt.result });
      return;
    }
    const { reason } = attempt;
    if (attempt.kind === "unreachable") this.#down.set(database.regionKey, reason);
    if (attempt.kind !== "failed" && !last) {
      this.#deferred.push(database);
      return;
    }
    this.#failed.push({ database, reason });
    const allowed = failuresAllowed(this.#due, this.#options.maxFailureShare);
    if (canary) this.#stopped ??= `The canary ${database.name} failed.`;
    else if (this.#failed.length > allowed)
      this.#stopped ??= `${this.#failed.length} of ${this.#due} failed, more than the ${allowed} allowed.`;
  }

  #progress(): FleetProgress {
    const [done, failed] = [this.#done.length, this.#failed.length];
    const seconds = (performance.now() - this.#started) / 1_000;
    const perSecond = (done + failed) / Math.max(seconds, 0.001);
    const secondsLeft = done + failed === 0 ? undefined : (this.#due - done - failed) / perSecond;
    return { due: this.#due, done, failed, deferred: this.#deferred.length, perSecond, secondsLeft };
  }
}
