/**
 * What a caller and an organization may have done: points per second, operations and subscriptions at once. Kept in the
 * memory of this process, so with N processes behind a balancer it is N times as much. The operator is not bounded: who
 * runs the platform must get through when it is busy.
 *
 * An operation of an API key is its organization's from the start. A user may belong to several, so what a user does is
 * the organization's when it reaches the organization's region: each object asked for there takes a point.
 */
import { type Actor, viewerId } from "#engine/auth/actor";
import type { Call } from "#base/kernel/call";
import { TenantryError } from "#base/kernel/errors";
import type { RateLimit } from "#api/graphql/context";
import type { Limits } from "#base/kernel/limits";
import { Semaphore } from "#base/kernel/semaphore";
import { KeyedSemaphore } from "#api/http/limits/keyed-semaphore";
import { TokenBuckets } from "#api/http/limits/token-buckets";

/** A bucket that was left alone holds as much as comes in this many seconds. */
const BURST_SECONDS = 10;

export class Budgets {
  readonly #maxSubscriptions: number;
  readonly #actors: TokenBuckets;
  readonly #organizations: TokenBuckets;
  readonly #actorSemaphore: KeyedSemaphore;
  readonly #organizationSemaphore: KeyedSemaphore;
  readonly #statementConcurrency: number;
  /** Of callers that have an operation running, with how many they have. */
  readonly #statements = new Map<string, { atServers: Map<string, Semaphore>; operations: number }>();
  /** Open subscriptions of each actor that has any. */
  readonly #subscriptions = new Map<string, number>();

  /** Open subscriptions of everybody. */
  #open = 0;

  constructor(limits: Limits) {
    const { actorPointsPerSecond, organizationPointsPerSecond } = limits;
    this.#maxSubscriptions = limits.maxSubscriptions;
    this.#statementConcurrency = limits.statementConcurrency;
    this.#actors = new TokenBuckets(actorPointsPerSecond, actorPointsPerSecond * BURST_SECONDS);
    this.#organizations = new TokenBuckets(organizationPointsPerSecond, organizationPointsPerSecond * BURST_SECONDS);
    this.#actorSemaphore = new KeyedSemaphore(limits.actorConcurrency);
    this.#organizationSemaphore = new KeyedSemaphore(limits.organizationConcurrency);
  }

  /** How many subscriptions are open, the operator's too. */
  get openSubscriptions(): number {
    return this.#open;
  }

  /** Takes an operation's points. Throws LIMIT_EXCEEDED with the seconds to wait. */
  spend(actor: Actor, points: number): void {
    const id = viewerId(actor);
    if (id === null) return;
    refuseFor(this.#actors.take(id, points), "You have asked for too much in a short time", "points");
    if (actor.kind === "key") this.#spendOrganization(actor.organizationId, points);
  }

  /** What is left of the caller's points, as headers; undefined where nothing bounds it. */
  rateLimitOf(actor: Actor): RateLimit | undefined {
    const id = viewerId(actor);
    const state = id === null ? undefined : this.#actors.stateOf(id);
    if (state === undefined) return undefined;
    return {
      policy: `"points";q=${Math.floor(state.most)};w=${BURST_SECONDS}`,
      state: `"points";r=${state.left};t=${state.secondsToFull}`,
    };
  }

  /**
   * Charges an organization when an operation of the actor asks for objects in its region; undefined: nobody is
   * charged.
   */
  organizationCharger(actor: Actor): ((organizationId: string, objects: number) => void) | undefined {
    return actor.kind === "user" ? (id, objects) => this.#spendOrganization(id, objects) : undefined;
  }

  /** Waits for the actor's permit, then for its organization's. Returns how to release both. Throws LIMIT_EXCEEDED. */
  async acquire(actor: Actor, signal: AbortSignal): Promise<() => void> {
    const id = viewerId(actor);
    if (id === null) return () => undefined;
    const release = await this.#actorSemaphore.acquire(id, signal);
    if (actor.kind !== "key") return release;
    try {
      const releaseOrganization = await this.#organizationSemaphore.acquire(actor.organizationId, signal);
      return () => {
        releaseOrganization();
        release();
      };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Bounds how many statements of one caller run at each server at a time, for one operation. `release` ends that. */
  limitStatements(actor: Actor): { withPermit: NonNullable<Call["withPermit"]>; release: () => void } | undefined {
    const id = actor.kind === "key" ? actor.organizationId : viewerId(actor);
    if (id === null || this.#statementConcurrency === 0) return undefined;
    const found = this.#statements.get(id) ?? { atServers: new Map<string, Semaphore>(), operations: 0 };
    found.operations += 1;
    this.#statements.set(id, found);
    return {
      withPermit: (server, statement) => {
        const semaphore = found.atServers.get(server) ?? new Semaphore(this.#statementConcurrency);
        found.atServers.set(server, semaphore);
        return semaphore.withPermit(statement);
      },
      release: () => {
        found.operations -= 1;
        if (found.operations === 0) this.#statements.delete(id);
      },
    };
  }

  /** Counts one more subscription of the actor until the returned function is called. Throws LIMIT_EXCEEDED. */
  openSubscription(actor: Actor): () => void {
    const id = viewerId(actor);
    if (id === null || this.#maxSubscriptions === 0) return this.#countOpen(() => undefined);
    const open = this.#subscriptions.get(id) ?? 0;
    if (open >= this.#maxSubscriptions)
      throw new TenantryError("LIMIT_EXCEEDED", `You have ${open} subscriptions open, which is the most: end some.`, {
        limit: "subscriptions",
      });
    this.#subscriptions.set(id, open + 1);
    return this.#countOpen(() => {
      const left = (this.#subscriptions.get(id) ?? 1) - 1;
      if (left === 0) this.#subscriptions.delete(id);
      else this.#subscriptions.set(id, left);
    });
  }

  #countOpen(onClosed: () => void): () => void {
    this.#open += 1;
    let closed = false;
    return () => {
      if (closed) return;
      closed = true;
      this.#open -= 1;
      onClosed();
    };
  }

  #spendOrganization(organizationId: string, points: number): void {
    refuseFor(
      this.#organizations.take(organizationId, points),
      "Your organization has asked for too much in a short time",
      "organization_points",
    );
  }
}

function refuseFor(retryAfterSeconds: number, what: string, limit: "points" | "organization_points"): void {
  if (retryAfterSeconds > 0)
    throw new TenantryError("LIMIT_EXCEEDED", `${what}: try again in ${retryAfterSeconds} s.`, {
      retryAfterSeconds,
      limit,
    });
}
