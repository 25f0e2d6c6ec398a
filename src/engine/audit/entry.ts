/** What the audit log says. Ids only: no names, no texts, no e-mail addresses, no secrets. */
import type { Client, SignedIn } from "#engine/auth/sign-in";

export const WHO = ["OPERATOR", "USER", "KEY"] as const;
export const VIA = ["DEVELOPMENT", "KEY", "TOKEN", "COMMAND_LINE", "LIBRARY", "JOB"] as const;
/** What entries are about, apart from content, whose kinds the app's modules name. */
export const ENGINE_SUBJECT_KINDS = [
  "USER",
  "ORGANIZATION",
  "INVITATION",
  "API_KEY",
  "REGION",
  "PLACEMENT",
  "JOB",
] as const;
/** What the entry about a pruning is about: the entries from before a moment. */
export const PRUNED = "ENTRIES_BEFORE";
/** A kind of the engine's, {@link PRUNED}, or a kind of content. */
export type SubjectKind = string;

/** Who calls, from which address, by which program. */
export type CallSource = Client & {
  who: (typeof WHO)[number];
  /** The user's or the key's id; of an operator the key's, or the subject of the token. */
  whoId: string | null;
  via: (typeof VIA)[number];
};

/** What it is done to, as far as that is known. */
export type What = {
  subjectKind: SubjectKind | null;
  /** An id; of a region its key, of entries the moment up to which they went. */
  subjectId: string | null;
  /** Whom it concerns besides the operator. */
  organizationId: string | null;
  placementId: string | null;
};

/** One line of the log. */
export type AuditEntry = CallSource & {
  /** UUIDv7: the order of the log. */
  id: string;
  /** When it was begun, by the clock of the database that holds the entry. */
  at: Date;
  action: string;
  /** Any word: entries of another version may have kinds that this one does not know. */
  subjectKind: string | null;
  subjectId: string | null;
  organizationId: string | null;
  placementId: string | null;
  /** `OK`, the code of the error, or {@link UNKNOWN}. */
  outcome: string;
  /** The region that holds the entry; null: home. */
  regionKey: string | null;
};

/** It was begun, and nothing says how it ended: it goes on, or the process that did it is no more. */
export const UNKNOWN = "UNKNOWN";
export const OK = "OK";

/** Characters of the header `User-Agent` that are kept. */
export const MAX_USER_AGENT_LENGTH = 200;

/** What whoever may use the database does with the program `tenantry`. */
export const COMMAND_LINE: CallSource = {
  who: "OPERATOR",
  whoId: null,
  via: "COMMAND_LINE",
  address: null,
  userAgent: null,
};

/** Who is behind a call that signed in. */
export function callSourceOf({ actor, keyId, tokenSubject }: SignedIn, { address, userAgent }: Client): CallSource {
  const via = keyId !== null ? "KEY" : tokenSubject !== null ? "TOKEN" : "DEVELOPMENT";
  const client = { via, address, userAgent } as const;
  if (actor.kind === "user") return { who: "USER", whoId: actor.userId, ...client };
  if (actor.kind === "key") return { who: "KEY", whoId: actor.keyId, ...client };
  return { who: "OPERATOR", whoId: keyId ?? tokenSubject, ...client };
}
