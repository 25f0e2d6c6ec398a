/** What resolvers get: who calls, the services, and loaders that live as long as one request. */
import type { CallSource } from "#engine/audit/entry";
import type { Actor } from "#engine/auth/actor";
import type { SignedIn } from "#engine/auth/sign-in";
import type { AnswerBytes } from "#base/kernel/answer-size";
import type { Services } from "#engine/services";
import type { Lag } from "#engine/links/visible-writes";
import type { Loaders } from "#api/graphql/loaders";

/** Data of a result as the text that is sent of it. */
export class JsonText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** The caller's points as headers have them (draft-ietf-httpapi-ratelimit-headers-11). */
export type RateLimit = { policy: string; state: string };

/** How an operation's answer goes out. */
export type Reply = {
  /** What the answers of one request may have together. */
  readonly bytes: AnswerBytes;
  /** The operation has its permit. */
  begin: () => void;
  /** The operation's answer is made; `release` is called when it has been sent, or never will be. */
  end: (release: () => void) => void;
  /** Says what is left of the caller's points. Left out: there are no headers. */
  limit?: (rateLimit: RateLimit) => void;
};

/** The third argument of every resolver. */
export type GraphQLContext = {
  actor: Actor;
  signedIn: SignedIn;
  /** Who calls and from where, for the audit log. */
  callSource: CallSource;
  services: Services;
  loaders: Loaders;
  /** What has not arrived yet of what this operation reads or wrote; goes into the answer's extensions. */
  lag: Lag[];
  /** Of a subscription: where it stands with the event that is told now; goes into the message's extensions. */
  cursor?: string;
  /** Mutations of the operation, as its answer names them, that have written something. */
  written: Set<string>;
  /** Whether whoever asked takes the data as {@link JsonText}; left out: no. */
  acceptsJsonText?: boolean;
  /** Aborted when the caller has hung up; undefined where that is not to be heard. */
  gone: AbortSignal | undefined;
  /** When the request was begun with, in milliseconds of `performance.now()`. Its time runs from then on. */
  startedAt: number;
  /** Left out: nobody says when the answer has been sent. */
  reply?: Reply;
};
