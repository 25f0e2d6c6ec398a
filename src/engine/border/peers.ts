/**
 * Bounds what an address can cost before it has signed in. Wrong passwords never lock out the right one: behind a proxy that
 * hides addresses all regions have the same, and one that guesses must not keep the others out.
 */
import { BoundedMap } from "#base/kernel/bounded-map";

type Peer = { tokens: number; at: number };

/** A connection that has not signed in. */
export type Stranger = { end: () => void };

/** So many refused attempts of an address are answered at once, and one more each second. */
const BURST = 20;
const REFUSED_PER_SECOND = 1;
/** Beyond these an answer takes so long. */
const PAUSE_MS = 1_000;
const MAX_PEERS = 10_000;

export class Peers {
  readonly #peers = new BoundedMap<string, Peer>(MAX_PEERS);
  readonly #limits: { maxStrangers: number; maxStrangersPerAddress: number };
  /** Those that are open, by address, the oldest first. */
  readonly #strangers = new Map<string, Set<Stranger>>();
  #count = 0;

  constructor(limits: { maxStrangers: number; maxStrangersPerAddress: number }) {
    this.#limits = limits;
  }

  /**
   * One more that has not signed in is here, until {@link leave}. Where there are too many, the one that has taken
   * longest goes for it and its address is returned: of the same address, or of the one that has the most. Whoever has
   * a password needs a moment; those that only hold a connection open need it for good.
   */
  admit(address: string, stranger: Stranger): string | undefined {
    const same = this.#strangers.get(address) ?? new Set<Stranger>();
    let full: string | undefined;
    if (same.size >= this.#limits.maxStrangersPerAddress) full = address;
    else if (this.#count >= this.#limits.maxStrangers) full = this.#addressWithMost();
    if (full !== undefined) this.#endOldest(full);
    this.#strangers.set(address, same.add(stranger));
    this.#count += 1;
    return full;
  }

  /** It has signed in, or is gone. */
  leave(address: string, stranger: Stranger): void {
    const same = this.#strangers.get(address);
    if (same?.delete(stranger) !== true) return;
    this.#count -= 1;
    if (same.size === 0) this.#strangers.delete(address);
  }

  #endOldest(address: string): void {
    const [oldest] = this.#strangers.get(address) ?? [];
    if (oldest === undefined) return;
    this.leave(address, oldest);
    oldest.end();
  }

  #addressWithMost(): string | undefined {
    let most: string | undefined;
    let size = 0;
    for (const [address, strangers] of this.#strangers) {
      if (strangers.size <= size) continue;
      most = address;
      size = strangers.size;
    }
    return most;
  }

  /** Counts a refused attempt. Returns how long its answer is to wait, in milliseconds; 0: it is one of few. */
  refused(address: string): number {
    const peer = this.#peerOf(address);
    const now = performance.now();
    peer.tokens = Math.min(BURST, peer.tokens + ((now - peer.at) / 1_000) * REFUSED_PER_SECOND);
    peer.at = now;
    if (peer.tokens < 1) return PAUSE_MS;
    peer.tokens -= 1;
    return 0;
  }

  #peerOf(address: string): Peer {
    const found = this.#peers.get(address);
    if (found !== undefined) return found;
    const peer = { tokens: BURST, at: performance.now() };
    this.#peers.set(address, peer);
    return peer;
  }
}
