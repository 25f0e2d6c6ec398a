/** Hears at home that keys were revoked, for whoever remembers or follows something with one. */
import type { Listener } from "#base/postgres/listener";

/** Channel on which home announces the id of an API key that was revoked or deleted. */
export const SIGN_IN_CHANNEL = "tenantry_sign_in";

export class RevokedKeys {
  readonly #byKey = new Map<string, Set<() => void>>();
  readonly #any = new Set<() => void>();

  async listen(listener: Listener): Promise<void> {
    await listener.on(SIGN_IN_CHANNEL, (keyId) => {
      for (const callback of this.#any) callback();
      // Empty after the connection was away: nobody knows what was missed. What follows with a key asks home anyway
      // before it shows anything, so only what is remembered has to go.
      for (const callback of this.#byKey.get(keyId) ?? []) callback();
    });
  }

  /** Calls back after any revocation, for as long as this process lives. */
  onAny(callback: () => void): void {
    this.#any.add(callback);
  }

  /** Calls back when this key is revoked, until the returned function is called. */
  on(keyId: string, callback: () => void): () => void {
    const callbacks = this.#byKey.get(keyId) ?? new Set();
    callbacks.add(callback);
    this.#byKey.set(keyId, callbacks);
    return () => {
      callbacks.delete(callback);
      if (callbacks.size === 0) this.#byKey.delete(keyId);
    };
  }
}
