/**
 * Bounds what an address can cost before it has signed in. Wrong passwords never lock out the right one: behind a proxy that
 * hides addresses all regions have the same, and one that guesses must not keep the others out.
 */

type Peer = { strangers: number; tokens: number; at: number };

/** So many refused attempts of an address are answered at once, and one more each second. */
const BURST = 20;
const REFUSED_PER_SECOND = 1;
/** Beyond these an answer takes so long. */
const PAUSE_MS = 1_000;
const MAX_PEERS = 10_000;

export class Peers {
  readonly #peers = new Map<string, Peer>();
  readonly #limits: { maxStrangers: number; maxStrangersPerAddress: number };
  #strangers = 0;

  constructor(limits: { maxStrangers: number; maxStrangersPerAddress: number }) {
    this.#limits = limits;
  }

  /** Whether one more connection that has not signed in may be open. It is one until {@link leave}. */
  admit(address: string): boolean {
    const peer = this.#peerOf(address);
    if (this.#strangers >= this.#limits.maxStrangers || peer.strangers >= this.#limits.maxStrangersPerAddress)
      return false;
    peer.strangers += 1;
    this.#strangers += 1;
    return true;
  }

  /** It has signed in, or is gone. */
  leave(address: string): void {
    this.#peerOf(address).strangers -= 1;
    this.#strangers -= 1;
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
    const peer = { strangers: 0, tokens: BURST, at: performance.now() };
    this.#peers.set(address, peer);
    if (this.#peers.size > MAX_PEERS) this.#forgetOne();
    return peer;
  }

  /** The oldest without a connection. */
  #forgetOne(): void {
    for (const [address, { strangers }] of this.#peers) {
      if (strangers > 0) continue;
      this.#peers.delete(address);
      return;
    }
  }
}
