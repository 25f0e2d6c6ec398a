/**
 * The carrier of one region: keeps its links parked, wakes those that were nudged, answers tickets when everything
 * has arrived, and parks them again. One process carries a region at a time (engine/replication/SPEC.md, invariant 6).
 */
import { bindToCall, currentCall, withStatementTimeout } from "#base/kernel/call";
import { delay } from "#base/kernel/wait";
import { Wakeup } from "#base/kernel/wakeup";
import { CARRIER_DEFAULTS, type CarrierContext, type CarrierOptions } from "#engine/replication/carrier-options";
import { DAMAGE, type Damage, damageOf, damageOfLostSlot } from "#engine/replication/damage";
import { recordCarried, recordFailure } from "#engine/replication/link-record";
import { holdsPermit } from "#engine/replication/link-state";
import { mend, RESEEDED, tellSubscriber } from "#engine/replication/establish";
import { IdleTimes } from "#engine/replication/idle-times";
import { lookAtSlots } from "#engine/replication/look-at-slots";
import {
  addTicket,
  asTold,
  endPause,
  isSliceOver,
  keyOf,
  move,
  newRuntime,
  noteArrived,
  noteAwake,
  postpone,
  type Runtime,
} from "#engine/replication/link-runtime";
import { MAX_MENDS_OF_REGION, whileAnswering } from "#engine/replication/mend-permits";
import { publicationMatches, publishNoMore } from "#engine/replication/publication";
import { answerTickets, type LinkId, type Told } from "#engine/replication/nudge";
import { applyErrors, disableSubscription, enableSubscription, findOrigin } from "#engine/replication/subscription";

export class Carrier {
  readonly #context: CarrierContext;
  readonly #options: CarrierOptions;
  readonly #idleTimes: IdleTimes;
  readonly #links = new Map<string, Runtime>();
  readonly #tasks = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  readonly #wakeup = new Wakeup();
  /** The call that it was made in, which whoever made it can end: from then on it asks nothing of any database. */
  readonly #call = currentCall();
  readonly #inItsCall = bindToCall();
  #loop: Promise<void> | undefined;

  constructor(context: CarrierContext, options: Partial<CarrierOptions> = {}) {
    this.#context = context;
    this.#options = { ...CARRIER_DEFAULTS, ...options };
    this.#idleTimes = new IdleTimes(this.#options, context.startsSlowly);
  }

  start(): void {
    this.#loop = this.#ask(() => this.#run());
  }

  /**
   * Parks what is awake, as far as the servers allow, and ends. `leavesRegion`: another home owns the region now, where
   * nothing is to be changed any more.
   */
  async stop({ leavesRegion = false }: { leavesRegion?: boolean } = {}): Promise<void> {
    this.#stop.abort(new Error("carrier stopped"));
    this.#context.spans?.close();
    await this.#loop;
    await Promise.allSettled(this.#tasks);
    const awake = [...this.#links.values()].filter(({ state }) => state === "awake");
    const parked = awake.filter(({ id }) => !leavesRegion || id.direction === "catalog");
    await Promise.allSettled(parked.map(({ link }) => this.#ask(() => disableSubscription(link))));
  }

  /** The links that it has not carried to their end, with the tickets that wait for them. */
  get unfinished(): { id: LinkId; tickets: readonly string[] }[] {
    return [...this.#links.values()]
      .filter(({ state, nudged, target }) => state !== "awake" || nudged || target !== undefined)
      .map(({ id, nudgedTickets, targetTickets }) => ({ id, tickets: [...targetTickets, ...nudgedTickets] }));
  }

  /** Whether a link is broken and waits to be mended. */
  get isTroubled(): boolean {
    return [...this.#links.values()].some(({ state }) => state === "broken");
  }

  /** The region's server answers again: what is broken is mended now, and what is about to fail is then. */
  mendNow(): void {
    for (const runtime of this.#links.values()) endPause(runtime);
    this.#wakeup.wake();
  }

  /** Something may be waiting on this link. `tickets` are answered when what is committed by now has arrived. */
  async nudge(id: LinkId, details: Told & { catalogChanges?: readonly string[] } = {}): Promise<void> {
    if (!this.#links.has(keyOf(id))) await this.#admit(id);
    // Asked for again: a link that was found while waiting may have been parked and forgotten since.
    const runtime = this.#links.get(keyOf(id));
    if (runtime === undefined) return;
    runtime.nudged = true;
    const { tickets = [], trace } = details;
    for (const ticket of tickets) addTicket(runtime.nudgedTickets, ticket);
    this.#context.spans?.nudged(id, tickets, trace, runtime.state === "parked");
    if (details.catalogChanges !== undefined) runtime.changes = details.catalogChanges;
    if (details.broken !== undefined) this.#fail(runtime, details.broken);
    else move(runtime, "nudged");
    this.#wakeup.wake();
  }

  /** Whether the carrier knows the link as other than parked. */
  isBusy(id: LinkId): boolean {
    return this.#links.has(keyOf(id));
  }

  async #admit(id: LinkId): Promise<void> {
    const link = await this.#ask(() => this.#context.openLink(id));
    // Somebody else may have been here while the link was opened.
    if (link !== undefined && !this.#links.has(keyOf(id))) this.#links.set(keyOf(id), newRuntime(id, link));
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted && !this.#isOver) {
      try {
        this.#startWork();
        await this.#look();
        this.#conclude();
      } catch (error) {
        if (!this.#stop.signal.aborted && !this.#isOver) this.#context.report("the look at the slots failed", error);
        await delay(this.#options.retryMs, this.#stop.signal).catch(() => undefined);
      }
      await this.#wakeup.sleep(this.#pause(), this.#stop.signal);
    }
  }

  /** Milliseconds until there is something to look at again. */
  #pause(): number {
    const now = performance.now();
    let pause = 60_000;
    for (const runtime of this.#links.values()) {
      if (runtime.state === "awake")
        pause = Math.min(
          pause,
          runtime.nudged || runtime.target !== undefined
            ? this.#options.pollMs
            : runtime.idleSince + this.#idleTimes.of(runtime.id.direction) - now,
        );
      // The end of a step wakes the loop.
      const { state, working, retryAt } = runtime;
      if (state === "broken" && working === 0) pause = Math.min(pause, Math.max(retryAt - now, 50));
      if (state === "queued") pause = Math.min(pause, 50);
    }
    return Math.max(pause, 1);
  }

  /** Gives permits to queued links, makes room for them, and starts mending what is due. */
  #startWork(): void {
    const now = performance.now();
    for (const direction of ["directory", "catalog"] as const) {
      const all = [...this.#links.values()].filter(({ id }) => id.direction === direction);
      const queued = all.filter(({ state }) => state === "queued");
      const free = this.#context.capacity[direction] - all.filter(({ state }) => holdsPermit(state)).length;
      for (const runtime of queued.slice(0, Math.max(free, 0))) {
        move(runtime, "admitted");
        this.#task(runtime, () => this.#wake(runtime));
      }
      if (free <= queued.length && queued.length > 0) this.#makeRoom(all, now);
    }
    // One at a time: a second mend would take the first one's slot away, and its seed overwrite what the stream has brought.
    const broken = [...this.#links.values()].filter(({ state }) => state === "broken");
    const free = MAX_MENDS_OF_REGION - broken.filter(({ working }) => working > 0).length;
    const due = broken.filter(({ retryAt, working }) => retryAt <= now && working === 0);
    for (const runtime of due.slice(0, Math.max(free, 0))) {
      runtime.retryAt = Number.POSITIVE_INFINITY;
      this.#task(runtime, () => this.#mend(runtime), this.#options.mendStatementMs);
    }
  }

  /** Takes a permit from a link that has nothing to do, else from one that has had it for a slice of time. */
  #makeRoom(all: readonly Runtime[], now: number): void {
    const awake = all.filter(({ state }) => state === "awake").toSorted((a, b) => a.awakeSince - b.awakeSince);
    const chosen =
      awake.find(({ nudged, target }) => !nudged && target === undefined) ??
      // A walsender starts decoding anew at each wake, so a slice shorter than that takes would get nobody on.
      awake.find((runtime) => isSliceOver(runtime, this.#options.sliceMs, now));
    if (chosen !== undefined) this.#retire(chosen);
  }

  /** Reads the slots of what is awake, and gives fresh nudges their target. */
  async #look(): Promise<void> {
    const awake = [...this.#links.values()].filter(
      ({ state, nudged, target }) => state === "awake" && (nudged || target !== undefined),
    );
    if (awake.length === 0) return;
    const fresh = awake.filter(({ nudged }) => nudged);
    // Taken off before the look: a nudge that comes during it gets the next one.
    const tickets = fresh.map((runtime) => {
      const taken = runtime.nudgedTickets;
      runtime.nudged = false;
      runtime.nudgedTickets = [];
      return taken;
    });
    try {
      await lookAtSlots(this.#context, awake, fresh, (server, timeline) => this.#requireTimeline(server, timeline));
    } catch (error) {
      for (const runtime of fresh) runtime.nudged = true;
      for (const [index, runtime] of fresh.entries()) runtime.nudgedTickets.unshift(...(tickets[index] ?? []));
      throw error;
    }
    for (const [index, runtime] of fresh.entries()) runtime.targetTickets.push(...(tickets[index] ?? []));
  }

  /** Draws the conclusions from the last look. */
  #conclude(): void {
    const now = performance.now();
    const answered: string[] = [];
    for (const runtime of this.#links.values()) {
      if (runtime.state !== "awake") continue;
      if (runtime.target !== undefined) this.#judge(runtime, now, answered);
      if (runtime.state !== "awake" || runtime.nudged || runtime.target !== undefined) continue;
      if (now - runtime.idleSince >= this.#idleTimes.of(runtime.id.direction)) this.#retire(runtime);
    }
    this.#context.spans?.arrived(answered);
    if (answered.length > 0) this.#background(() => answerTickets(this.#context.home, answered));
  }

  #judge(runtime: Runtime, now: number, answered: string[]): void {
    const { sample, target } = runtime;
    if (sample === undefined) return this.#fail(runtime, DAMAGE.slotGone);
    if (sample.walStatus === "lost") return this.#fail(runtime, damageOfLostSlot(sample.invalidation));
    if (target !== undefined && sample.confirmed !== null && sample.confirmed >= target) {
      answered.push(...runtime.targetTickets);
      const tookMs = noteArrived(runtime);
      if (tookMs !== undefined) this.#idleTimes.woke(runtime.id.direction, tookMs);
      return;
    }
    if (sample.active) runtime.inactiveSince = now;
    else if (this.#context.startsSlowly[runtime.id.direction]) this.#askAgain(runtime, now);
    // Longer after each failure: where workers start slowly, giving up again and again would never let one start.
    if (now - runtime.inactiveSince > this.#options.stallMs * 2 ** Math.min(runtime.failures, 4))
      return this.#fail(runtime, DAMAGE.notConnecting);
    if (now >= runtime.nextErrorLook && now - runtime.awakeSince > 500) {
      runtime.nextErrorLook = now + 500;
      this.#task(runtime, async () => {
        const errors = await this.#applyErrors(runtime);
        if (runtime.state === "awake" && errors > runtime.errorsAtWake) this.#fail(runtime, DAMAGE.notApplying);
      });
    }
  }

  /**
   * The launcher of 15 looks whether it may start a worker when it is woken, and then waits for the whole interval again,
   * from that moment on. Enabling what is enabled changes nothing and wakes it.
   */
  #askAgain(runtime: Runtime, now: number): void {
    // Two at once would change the same row of the catalog, and one of them would fail.
    if (now < runtime.nextAsk || runtime.asking !== undefined) return;
    runtime.nextAsk = now + this.#options.askAgainMs;
    this.#task(runtime, () => {
      runtime.asking = enableSubscription(runtime.link).finally(() => {
        runtime.asking = undefined;
      });
      return runtime.asking;
    });
  }

  #requireTimeline(server: "home" | "region", timeline: string): void {
    if (timeline === this.#context.timelines[server]) return;
    this.#context.onFork();
    throw new Error(`the ${server} server was promoted or restored`);
  }

  async #wake(runtime: Runtime): Promise<void> {
    // The gateway is another one, or passwords are: told now, as nothing was carried since.
    if (runtime.link.told.mark !== runtime.link.toldBefore) {
      await tellSubscriber(runtime.link);
      runtime.link = asTold(runtime.link);
    }
    // Without its publication the stream would skip changes (18) or end (before). Home's costs nothing to look at;
    // a region's is looked at by the sweep.
    const [errors, published] = await Promise.all([
      // Asked for before enabling is, beside it: should a first error slip in, the second, 5 s later, tells.
      this.#applyErrors(runtime),
      runtime.id.direction === "catalog" || this.#isPublished(runtime),
      enableSubscription(runtime.link),
    ]);
    noteAwake(runtime, errors);
    this.#context.count?.("wake", runtime.id.direction);
    move(runtime, "enabled");
    if (!published) this.#fail(runtime, DAMAGE.publicationChanged);
  }

  /**
   * Over a connection that is open: the tenant database's may have to be made. Also sees whether the subscriber was promoted;
   * of the publisher the look does.
   */
  async #applyErrors({ id, link }: Runtime): Promise<number> {
    const subscriber = id.direction === "directory" ? "region" : "home";
    const { errors, timeline } = await applyErrors(this.#context[subscriber], link.name);
    this.#requireTimeline(subscriber, timeline);
    return errors;
  }

  async #isPublished(runtime: Runtime): Promise<boolean> {
    if (await publicationMatches(runtime.link)) return true;
    // Since the link was opened its database may have got a version that lets other columns flow.
    runtime.link = (await this.#context.openLink(runtime.id)) ?? runtime.link;
    return (await publishNoMore(runtime.link)) !== "wrong";
  }

  #retire(runtime: Runtime): void {
    move(runtime, "retired");
    this.#task(runtime, async () => {
      // Overtaken by it, it would be left awake.
      await runtime.asking?.catch(() => undefined);
      await disableSubscription(runtime.link);
      if (runtime.nudged || runtime.target !== undefined) {
        runtime.unfinishedSlices += 1;
        // What was promised to its tickets is promised again, at the end of the queue.
        runtime.nudged = true;
        runtime.nudgedTickets.push(...runtime.targetTickets.splice(0));
        runtime.target = undefined;
        this.#links.delete(keyOf(runtime.id));
        this.#links.set(keyOf(runtime.id), runtime);
        return move(runtime, "disabledUnfinished");
      }
      // Home cannot be the witness of its own past: a catalog's subscriber goes back together with this record.
      const origin =
        runtime.id.direction === "directory" ? await findOrigin(this.#context.region, runtime.link.name) : undefined;
      await recordCarried(this.#context.home, runtime.link, runtime.changes, origin);
      if (runtime.nudged) return move(runtime, "disabledUnfinished");
      move(runtime, "disabled");
      this.#links.delete(keyOf(runtime.id));
    });
  }

  #fail(runtime: Runtime, { reason, reseed, doubtsPublisher = false }: Damage): void {
    move(runtime, "failed");
    postpone(runtime, reseed, this.#options);
    this.#context.report(`${runtime.link.name}: ${reason}`);
    if (doubtsPublisher && runtime.id.direction === "directory")
      this.#background(() => this.nudge({ ...runtime.id, direction: "catalog" }, { broken: DAMAGE.homeDoubted }));
    this.#background(() => recordFailure(this.#context.home, runtime.id, reason));
    this.#wakeup.wake();
  }

  async #mend(runtime: Runtime): Promise<void> {
    const fresh = await this.#context.reopenLink(runtime.id);
    if (fresh === undefined) {
      this.#links.delete(keyOf(runtime.id));
      return;
    }
    runtime.link = fresh;
    // The region has just answered, so one that is away takes no permit. One that goes away meanwhile gives its own back.
    const { mends, region } = this.#context;
    await mends.withPermit(this, this.#stop.signal, () =>
      whileAnswering(region, this.#options.askMs, () => this.#makeWhole(runtime)),
    );
  }

  async #makeWhole(runtime: Runtime): Promise<void> {
    const { link } = runtime;
    // What a new connection string did not mend, a reseed does.
    const done = await mend(link, { reseed: runtime.mustReseed || runtime.failures > 1 });
    if (done === RESEEDED) this.#context.count?.("reseed", runtime.id.direction);
    runtime.link = asTold(link);
    runtime.mustReseed = false;
    this.#context.report(`${runtime.link.name}: ${done}`);
    move(runtime, "mended");
  }

  /** Runs a statement of a link beside the loop. A failure breaks that link and delays no other. */
  #task(runtime: Runtime, work: () => Promise<void>, statementMs = this.#options.statementMs): void {
    runtime.working += 1;
    const task = this.#ask(work, statementMs)
      .catch((error: unknown) => {
        if (this.#isOver) return;
        this.#context.report(`${runtime.link.name}: a step failed`, error);
        this.#fail(runtime, damageOf(error));
      })
      .finally(() => {
        runtime.working -= 1;
        this.#tasks.delete(task);
        this.#wakeup.wake();
      });
    this.#tasks.add(task);
  }

  /** Records and answers must not stop the loop; what is lost of them the sweep makes up for. */
  #background(work: () => Promise<void>): void {
    const task = this.#ask(work)
      .catch((error: unknown) => {
        if (!this.#isOver) this.#context.report("a record at home failed", error);
      })
      .finally(() => this.#tasks.delete(task));
    this.#tasks.add(task);
  }

  /** Whoever asks for it: each statement has a deadline, and there are none when the carrier's call is over. */
  async #ask<Result>(work: () => Promise<Result>, statementMs = this.#options.statementMs): Promise<Result> {
    return this.#inItsCall(() => withStatementTimeout(statementMs, work));
  }

  get #isOver(): boolean {
    return this.#call?.signal.aborted === true;
  }
}
