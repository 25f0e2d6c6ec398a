/**
 * Says to followers in this process that rows of their organization in the catalog have changed. What regions send is written
 * by processes that apply, and these announce nothing: in PostgreSQL whoever announces waits for the commits of everybody else
 * who does (https://www.postgresql.org/docs/current/sql-notify.html). So one look for all followers of the process, when
 * something was carried, finds out whom it concerns.
 */
import { outsideCalls } from "#base/kernel/call";
import { Wakeup } from "#base/kernel/wakeup";
import type { DatabaseKind, Queryable } from "#base/postgres/database";
import type { Listener } from "#base/postgres/listener";
import { PLACEMENT_CHANNEL } from "#engine/home/placements";
import { CARRIED_CHANNEL } from "#engine/replication/nudge";

type Home = { home: Queryable<DatabaseKind>; listener: Pick<Listener, "on"> };

const hubs = new WeakMap<Home["listener"], ChangeHub>();

/** The hub of the process. */
export function changeHubOf({ home, listener }: Home): ChangeHub {
  const hub = hubs.get(listener) ?? new ChangeHub({ home, listener });
  hubs.set(listener, hub);
  return hub;
}

export class ChangeHub {
  readonly #services: Home;
  readonly #followers = new Map<string, Set<() => void>>();
  readonly #wakeup = new Wakeup();
  /** What the last look has shown; undefined: nobody has looked since somebody follows. */
  #snapshot: string | undefined;
  #hearing: Promise<(() => void)[]> | undefined;

  constructor(services: Home) {
    this.#services = services;
  }

  /** Calls back when something of the organization may have changed, until the returned function is called. */
  async on(organizationId: string, wake: () => void): Promise<() => void> {
    const followers = this.#followers.get(organizationId) ?? new Set();
    this.#followers.set(organizationId, followers.add(wake));
    const leave = () => {
      followers.delete(wake);
      if (followers.size === 0 && this.#followers.get(organizationId) === followers)
        this.#followers.delete(organizationId);
      if (this.#followers.size === 0) this.#wakeup.wake();
    };
    try {
      this.#hearing ??= this.#begin();
      await this.#hearing;
      return leave;
    } catch (error) {
      this.#hearing = undefined;
      leave();
      throw error;
    }
  }

  async #begin(): Promise<(() => void)[]> {
    const { listener } = this.#services;
    const wake = () => this.#wakeup.wake();
    // The end of access to a region takes rows away without anything being carried.
    const stops = [await listener.on(CARRIED_CHANNEL, wake), await listener.on(PLACEMENT_CHANNEL, wake)];
    void outsideCalls(() => this.#run(stops));
    return stops;
  }

  async #run(stops: (() => void)[]): Promise<void> {
    // What happens before the first look, followers find by themselves: they look when they begin.
    for (; this.#followers.size > 0; await this.#wakeup.sleep())
      // Where home is away, each of them finds out for itself.
      for (const organizationId of await this.#look().catch(() => [...this.#followers.keys()]))
        for (const wake of this.#followers.get(organizationId) ?? []) wake();
    this.#snapshot = undefined;
    this.#hearing = undefined;
    for (const stop of stops) stop();
  }

  /** The followed organizations in which something has changed since the last look; at the first one all of them. */
  async #look(): Promise<string[]> {
    const followed = [...this.#followers.keys()];
    const before = this.#snapshot;
    const [row] = await this.#services.home.query<{ snapshot: string; changed: string[] }>(
      "events.changed_organizations",
      `select pg_current_snapshot()::text as snapshot, array(
         select distinct organization_id::text from tenantry.changes
         where organization_id = any($1::uuid[]) and xact >= pg_snapshot_xmin($2::text::pg_snapshot)
           and not pg_visible_in_snapshot(xact, $2::text::pg_snapshot)) as changed`,
      [followed, before ?? null],
    );
    this.#snapshot = row?.snapshot;
    return before === undefined ? followed : (row?.changed ?? followed);
  }
}
