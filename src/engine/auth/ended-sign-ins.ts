/**
 * Tells whoever follows something that home no longer knows what they signed in with: a key that was revoked, or a person whom
 * a token's subject no longer is, because they were erased or the subject was linked to somebody else.
 *
 * Home announces such an end once. An announcement can come before anybody asks to hear it, as signing in and beginning to
 * follow take time, and it is lost while the listening connection is away. So home is asked: when somebody begins to hear, when
 * something is announced about them, and when the listener may have missed something.
 */
import { forAllCallers, type SignedIn } from "#engine/auth/sign-in";
import { delay } from "#base/kernel/wait";
import type { Queryable } from "#base/postgres/database";
import type { Listener } from "#base/postgres/listener";

/** Channel on which home announces the id of a key that was revoked or deleted, or of a user who lost an identity. */
export const SIGN_IN_CHANNEL = "tenantry_sign_in";

/** Pause before a home that was away is asked again. */
const AWAY_MS = 1_000;

type Follower = { signedIn: SignedIn; end: () => void };

export class EndedSignIns {
  readonly #home: Queryable<"home">;
  readonly #followers = new Map<string, Set<Follower>>();
  readonly #any = new Set<() => void>();
  /** Of whom home is to be asked. */
  readonly #due = new Set<string>();
  readonly #onError: (error: unknown) => void;
  #isAsking = false;

  /** `onError` hears once why home cannot be asked; it is asked again and again. */
  constructor(home: Queryable<"home">, onError: (error: unknown) => void) {
    this.#home = home;
    this.#onError = onError;
  }

  async listen(listener: Listener): Promise<void> {
    await listener.on(SIGN_IN_CHANNEL, (id) => {
      for (const callback of this.#any) callback();
      // Empty after the connection was away: nobody knows what was missed.
      this.#ask(id === "" ? [...this.#followers.keys()] : [id]);
    });
  }

  /** Calls back after any end, for as long as this process lives. */
  onAny(callback: () => void): void {
    this.#any.add(callback);
  }

  /**
   * Calls back when home no longer knows what somebody signed in with, until the returned function is called: also when that is
   * so already. Never for what home has no say about, such as an operator's token.
   */
  on(signedIn: SignedIn, end: () => void): () => void {
    const id = holderOf(signedIn);
    if (id === undefined) return () => undefined;
    const follower = { signedIn, end };
    const followers = this.#followers.get(id) ?? new Set();
    this.#followers.set(id, followers.add(follower));
    this.#ask([id]);
    return () => {
      followers.delete(follower);
      if (followers.size === 0 && this.#followers.get(id) === followers) this.#followers.delete(id);
    };
  }

  #ask(ids: readonly string[]): void {
    for (const id of ids) this.#due.add(id);
    if (!this.#isAsking) void forAllCallers(() => this.#askWhileDue());
  }

  /** One statement for all who are due at once. Whoever becomes due meanwhile is asked about in another one. */
  async #askWhileDue(): Promise<void> {
    this.#isAsking = true;
    for (let failures = 0; this.#due.size > 0; ) {
      const asked = Array.from(this.#due, (id) => Array.from(this.#followers.get(id) ?? [])).flat();
      this.#due.clear();
      if (asked.length === 0) continue;
      try {
        const signIns = asked.map(({ signedIn }) => signedIn);
        for (const index of await findEnded(this.#home, signIns)) asked[index]?.end();
        failures = 0;
      } catch (error) {
        if (failures === 0) this.#onError(error);
        failures += 1;
        // Somebody who has left meanwhile is not asked about again.
        for (const { signedIn } of asked) this.#due.add(holderOf(signedIn) ?? "");
        await delay(AWAY_MS);
      }
    }
    this.#isAsking = false;
  }
}

/** Whether home has a say about it, and so may end it. */
export function canBeEnded(signedIn: SignedIn): boolean {
  return holderOf(signedIn) !== undefined;
}

/** The id that is announced when it ends. */
function holderOf({ keyId, identity }: SignedIn): string | undefined {
  return keyId ?? identity?.userId;
}

/** Which of these home does not know any more, by their places in the list. */
async function findEnded(home: Queryable<"home">, signIns: readonly SignedIn[]): Promise<number[]> {
  const rows = await home.query<{ index: number }>(
    "sign_ins.ended",
    `select (a.place - 1)::int as index
     from unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[]) with ordinality
       as a (key_id, issuer, subject, user_id, place)
     where case when a.key_id is null
       then not exists (select from tenantry.identities i
                        where i.issuer = a.issuer and i.subject = a.subject and i.user_id = a.user_id)
       else not exists (select from tenantry.api_keys k
                        where k.id = a.key_id and k.revoked_at is null and k.expires_at > now())
     end`,
    [
      signIns.map(({ keyId }) => keyId),
      signIns.map(({ identity }) => identity?.issuer ?? null),
      signIns.map(({ identity }) => identity?.subject ?? null),
      signIns.map(({ identity }) => identity?.userId ?? null),
    ],
  );
  return rows.map(({ index }) => index);
}
