/**
 * Refused attempts that home does not know of yet. Attempts of one kind from one address are one entry, and only so many
 * entries are kept in a minute, so that attempts fill neither memory nor home.
 */
import { isIP } from "node:net";
import { newId } from "#base/kernel/ids";
import type { StreamKind } from "#engine/replication/names";

/** Why something was refused. The same list stands in the schema of home. */
export const REFUSAL_CODES = [
  "unknown-user",
  "wrong-password",
  "not-allowed-command",
  "table-not-listed",
  "column-not-listed",
  "truncate",
  "malformed",
  "too-many",
  "row-refused",
  "subscription-changed",
] as const;
export type RefusalCode = (typeof REFUSAL_CODES)[number];

/** One attempt. What is left out is not known. */
export type Refusal = {
  address?: string | undefined;
  databaseId?: number | undefined;
  direction?: StreamKind | undefined;
  /** The name that was given. */
  user?: string | undefined;
  code: RefusalCode;
  /** What was refused and why, without secrets. */
  sentence: string;
};

/** Attempts of one kind. Moments are milliseconds since 1970. */
export type RefusalEntry = {
  address: string | null;
  databaseId: number | null;
  direction: StreamKind | null;
  user: string | null;
  code: RefusalCode;
  sentence: string;
  attempts: number;
  firstAt: number;
  lastAt: number;
};

/** What can be attempted without a link's password. */
const BY_STRANGERS: ReadonlySet<RefusalCode> = new Set(["unknown-user", "wrong-password", "malformed", "too-many"]);
/** Entries a minute, and held at a time. Strangers have a part of their own, so that they cannot hide what a link attempts. */
const MAX_ENTRIES = { stranger: 50, link: 40 } as const;
type Share = keyof typeof MAX_ENTRIES;
/** Entries a minute of a process: those above, and for each code one of all attempts beyond them. */
export const MAX_REFUSALS_A_MINUTE = MAX_ENTRIES.stranger + MAX_ENTRIES.link + REFUSAL_CODES.length;

const MINUTE_MS = 60_000;
const MAX_ATTEMPTS = 0x7f_ff_ff_ff;
const MAX_DATABASE_ID = 0x7f_ff_ff_ff;
const MAX_USER_LENGTH = 63;
export const MAX_SENTENCE_LENGTH = 500;
const OTHERS = "More attempts than are kept one by one within a minute.";

export class RefusalBook {
  readonly #entries: Record<Share, Map<string, RefusalEntry>> = { stranger: new Map(), link: new Map() };
  /** Attempts beyond the bound, by code. Handed over when the minute is over, so that there is one of each in a minute. */
  readonly #others = new Map<RefusalCode, RefusalEntry>();
  /** Those of minutes that are over. */
  readonly #past = new Map<RefusalCode, RefusalEntry>();
  #left: Record<Share, number> = { ...MAX_ENTRIES };
  #minuteEndsAt = Number.NEGATIVE_INFINITY;

  /** Whether there is something to hand over now. */
  hasDue(now: number): boolean {
    this.#endMinute(now);
    const { stranger, link } = this.#entries;
    return stranger.size + link.size + this.#past.size > 0;
  }

  /** Counts an attempt. Returns its entry when it is the first of its kind: what is worth a line in the log. */
  add(refusal: Refusal, now: number): RefusalEntry | undefined {
    this.#beginMinute(now);
    const entry = toEntry(refusal, now);
    const share = shareOf(entry);
    const found = this.#entries[share].get(keyOf(entry));
    if (found !== undefined) {
      merge(found, entry);
      return undefined;
    }
    if (this.#left[share] === 0) return this.#addToOthers(entry);
    this.#left[share] -= 1;
    return this.#keep(share, entry);
  }

  /** Hands over what there is; the attempts beyond the bound too when the minute is over, or with `all`. */
  take(now: number, all: boolean): RefusalEntry[] {
    if (all) this.#othersArePast();
    else this.#endMinute(now);
    const { stranger, link } = this.#entries;
    const taken = [...link.values(), ...stranger.values(), ...this.#past.values()];
    for (const map of [stranger, link, this.#past]) map.clear();
    return taken;
  }

  /** Takes back what could not be written. */
  giveBack(taken: readonly RefusalEntry[]): void {
    for (const entry of taken) {
      const share = shareOf(entry);
      const since = isOthers(entry) ? this.#past.get(entry.code) : this.#entries[share].get(keyOf(entry));
      if (since !== undefined) merge(since, entry);
      else if (isOthers(entry)) this.#past.set(entry.code, entry);
      else this.#keep(share, entry);
    }
  }

  #beginMinute(now: number): void {
    if (!this.#isMinuteOver(now)) return;
    this.#othersArePast();
    this.#minuteEndsAt = now + MINUTE_MS;
    this.#left = { ...MAX_ENTRIES };
  }

  #endMinute(now: number): void {
    if (this.#isMinuteOver(now)) this.#othersArePast();
  }

  /** Also where the clock was set back. */
  #isMinuteOver(now: number): boolean {
    return now >= this.#minuteEndsAt || now < this.#minuteEndsAt - MINUTE_MS;
  }

  #othersArePast(): void {
    for (const [code, entry] of this.#others) {
      const found = this.#past.get(code);
      if (found === undefined) this.#past.set(code, entry);
      else merge(found, entry);
    }
    this.#others.clear();
  }

  #keep(share: Share, entry: RefusalEntry): RefusalEntry | undefined {
    // Home has taken none for more than a minute.
    if (this.#entries[share].size >= MAX_ENTRIES[share]) return this.#addToOthers(entry);
    this.#entries[share].set(keyOf(entry), entry);
    return entry;
  }

  #addToOthers({ code, attempts, firstAt, lastAt }: RefusalEntry): RefusalEntry | undefined {
    const unknown = { address: null, databaseId: null, direction: null, user: null };
    const entry = { ...unknown, code, sentence: OTHERS, attempts, firstAt, lastAt };
    const found = this.#others.get(code);
    if (found === undefined) {
      this.#others.set(code, entry);
      return entry;
    }
    merge(found, entry);
    return undefined;
  }
}

/** As home stores it. */
export function toRow(entry: RefusalEntry): RefusalEntry & { id: string } {
  return { id: newId(), ...entry };
}

/** Who has signed in is known by the link: its attempts must not drown in those of strangers. */
function shareOf({ code, databaseId }: RefusalEntry): Share {
  return databaseId === null && BY_STRANGERS.has(code) ? "stranger" : "link";
}

function isOthers({ sentence }: RefusalEntry): boolean {
  return sentence === OTHERS;
}

function keyOf({ code, address, databaseId, direction }: RefusalEntry): string {
  return `${code} ${address} ${databaseId} ${direction}`;
}

/** The words of the first attempt stand for all. */
function merge(entry: RefusalEntry, other: RefusalEntry): void {
  entry.attempts = Math.min(entry.attempts + other.attempts, MAX_ATTEMPTS);
  entry.firstAt = Math.min(entry.firstAt, other.firstAt);
  entry.lastAt = Math.max(entry.lastAt, other.lastAt);
}

/** Whatever the attempt was made with becomes something that home stores: one bad value would keep all others out. */
function toEntry({ address, databaseId, direction, user, code, sentence }: Refusal, now: number): RefusalEntry {
  const isNumber = databaseId !== undefined && Number.isInteger(databaseId);
  const name = printable(user ?? "", MAX_USER_LENGTH);
  return {
    address: readAddress(address ?? ""),
    databaseId: isNumber && databaseId > 0 && databaseId <= MAX_DATABASE_ID ? databaseId : null,
    direction: direction ?? null,
    user: name === "" ? null : name,
    code,
    sentence: printable(sentence, MAX_SENTENCE_LENGTH) || code,
    attempts: 1,
    firstAt: now,
    lastAt: now,
  };
}

/** An address of a socket: IPv4 in IPv6 is IPv4, and a zone is this machine's own. */
function readAddress(text: string): string | null {
  const address = text.replace(/%.*$/s, "").replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, "");
  return isIP(address) === 0 ? null : address;
}

/** Printable ASCII only: it is shown on terminals, and stored in home's encoding, whatever that is. */
function printable(text: string, maxLength: number): string {
  return text.slice(0, maxLength).replace(/[^\x20-\x7e]/g, "?");
}
