/**
 * Writes that wait while their placement is switched to another database. Its database refuses them for a moment, having changed
 * nothing; they are done again where the placement is then. The first that is refused closes a gate: those that come later wait
 * there without asking the region, and one of them looks from time to time whether it goes on.
 */
import { currentCall } from "#base/kernel/call";
import { TenantryError } from "#base/kernel/errors";
import { delay } from "#base/kernel/wait";
import { isClosedScope } from "#engine/failures/refusals";

export type HeldWritesOptions = {
  /** How long a write waits at most, in milliseconds, unless its caller gives up before. */
  maxMs: number;
  /** Writes that wait for one placement at most. */
  maxWaiting: number;
  /** How often it is looked whether it goes on. */
  pauseMs: number;
};

const DEFAULTS: HeldWritesOptions = { maxMs: 10_000, maxWaiting: 1_000, pauseMs: 50 };
/** A switch takes less than that as a rule. */
const RETRY_AFTER_SECONDS = 1;

/** How a write is tried: where it was to go, or where its placement is now; `anew`: as home says, whatever is remembered. */
export type Attempt = "first" | "again" | "anew";

/** What waits for one placement. One of the writes looks whether it goes on, the others wait to be told. */
type Gate = {
  /** Each is told whether it is the one that looks from now on; else that it goes on. */
  readonly waiting: Set<(isToLook: boolean) => void>;
  /** Has who looks look at once. */
  look: () => void;
};

/** Which placement, and what its region is called. */
type Where = { readonly placementNumber: number; readonly regionKey: string };

export class HeldWrites {
  readonly #options: HeldWritesOptions;
  readonly #gates = new Map<number, Gate>();

  constructor(options: Partial<HeldWritesOptions> = {}) {
    this.#options = { ...DEFAULTS, ...options };
  }

  /** Placements changed: whoever waits looks at once. */
  announce(): void {
    for (const gate of this.#gates.values()) gate.look();
  }

  /**
   * Does a write of a placement; again, when its database has refused it as the placement is closed. Throws LIMIT_EXCEEDED when it has
   * waited for too long or too many wait.
   */
  async write<Result>(where: Where, attempt: (how: Attempt) => Promise<Result>): Promise<Result> {
    const until = performance.now() + this.#options.maxMs;
    const { placementNumber: number } = where;
    let how: Attempt = "first";
    for (;;) {
      const gate = this.#gates.get(number);
      if (gate !== undefined && (await this.#isToLook(gate, where, until)))
        return this.#look(gate, where, until, attempt);
      if (gate !== undefined) how = "again";
      const done = await unlessClosed(() => attempt(how));
      if (done !== undefined) return done.value;
      if (performance.now() > until) throw heldTooLong(where.regionKey);
      if (this.#gates.has(number)) continue;
      const closed: Gate = { waiting: new Set(), look: () => undefined };
      this.#gates.set(number, closed);
      return this.#look(closed, where, until, attempt);
    }
  }

  /** Tries until it goes on, and lets the others go on then. Who gives up hands it on to another one. */
  async #look<Result>(
    gate: Gate,
    where: Where,
    until: number,
    attempt: (how: Attempt) => Promise<Result>,
  ): Promise<Result> {
    let isWaiting = false;
    try {
      for (;;) {
        const done = await unlessClosed(() => attempt("anew"));
        if (done !== undefined) return done.value;
        isWaiting = true;
        if (performance.now() > until) throw heldTooLong(where.regionKey);
        await this.#pause(gate, until);
        isWaiting = false;
      }
    } finally {
      const [next] = gate.waiting;
      if (isWaiting && next !== undefined) next(true);
      else {
        this.#gates.delete(where.placementNumber);
        for (const tell of gate.waiting) tell(false);
      }
    }
  }

  async #pause(gate: Gate, until: number): Promise<void> {
    const told = Promise.withResolvers<void>();
    gate.look = told.resolve;
    const ms = Math.max(0, Math.min(this.#options.pauseMs, until - performance.now()));
    await Promise.race([told.promise, delay(ms, currentCall()?.signal)]);
  }

  async #isToLook(gate: Gate, { regionKey }: Where, until: number): Promise<boolean> {
    if (gate.waiting.size >= this.#options.maxWaiting) throw held(regionKey, "and too many changes wait for that");
    const told = Promise.withResolvers<boolean>();
    gate.waiting.add(told.resolve);
    const late = new AbortController();
    const signal = currentCall()?.signal;
    try {
      const over = delay(
        Math.max(0, until - performance.now()),
        AbortSignal.any([late.signal, ...(signal ? [signal] : [])]),
      );
      return await Promise.race([told.promise, over.then(() => Promise.reject(heldTooLong(regionKey)))]);
    } finally {
      gate.waiting.delete(told.resolve);
      late.abort();
    }
  }
}

/** Undefined: it was refused as the placement is closed. */
async function unlessClosed<Result>(work: () => Promise<Result>): Promise<{ value: Result } | undefined> {
  try {
    return { value: await work() };
  } catch (error) {
    if (isClosedScope(error)) return undefined;
    throw error;
  }
}

/** Nothing of the write has happened. */
export function heldTooLong(regionKey: string): TenantryError {
  return held(regionKey, "which takes longer than changes wait");
}

function held(regionKey: string, why: string): TenantryError {
  return new TenantryError(
    "LIMIT_EXCEEDED",
    `The organization's data in region ${regionKey} is being moved, ${why}. Nothing was changed: try again.`,
    { retryAfterSeconds: RETRY_AFTER_SECONDS },
  );
}
