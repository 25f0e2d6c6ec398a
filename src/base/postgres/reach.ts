/** What is told of servers that can be reached no longer, and of their being back. */
import { outsideCalls } from "#base/kernel/call";

/** That a server, or a pooler in front of it, can be reached no longer, or again. */
export type Reach = {
  /** The key of its region; undefined: it is home's, or no region's yet. */
  readonly region: string | undefined;
  readonly isHome: boolean;
  readonly isPooler: boolean;
  readonly isThere: boolean;
  /** Where it is there again: how long it was not. */
  readonly awayMs: number;
  /** Where it is not: how connecting failed. */
  readonly code: string | undefined;
};

export class ReachNews {
  readonly #hear = new Set<(reach: Reach) => void>();
  /** By host and port: the key of the region. There are as many as servers. */
  readonly #regions = new Map<string, string>();

  /** `hear` must not throw. */
  on(hear: (reach: Reach) => void): void {
    this.#hear.add(hear);
  }

  /** Notes which region's server it is. */
  name(server: string, region: string | undefined): void {
    if (region !== undefined) this.#regions.set(server, region);
  }

  /** Returns what tells of one server, as its breaker says it. */
  of(server: string, which: Pick<Reach, "isHome" | "isPooler">): { away: (code: string) => void; answers: () => void } {
    let since = 0;
    // What all wait for is nobody's request.
    const tell = (news: Pick<Reach, "isThere" | "awayMs" | "code">) =>
      outsideCalls(() => {
        for (const hear of this.#hear) hear({ region: this.#regions.get(server), ...which, ...news });
      });
    return {
      away: (code) => {
        since = performance.now();
        tell({ isThere: false, awayMs: 0, code });
      },
      answers: () => tell({ isThere: true, awayMs: performance.now() - since, code: undefined }),
    };
  }
}
