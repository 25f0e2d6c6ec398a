/**
 * Limits on running operations, over every transport: what one may cost, what its caller and organization may spend, how
 * many run at once, and how long it may take. When the time is over, or the caller is gone, resolvers are not waited for
 * any more and their SQL is cancelled (base/postgres/cancellation.ts).
 */
import { type ExecutionArgs, type ExecutionResult, getOperationAST, type OperationDefinitionNode } from "graphql";
import type { Plugin } from "graphql-yoga";
import type { GraphQLContext } from "#api/graphql/context";
import { fragmentsOf } from "#api/graphql/fragments";
import { costOf } from "#api/graphql/limits/cost";
import { orAborted } from "#base/kernel/abort";
import { AnswerBytes, type AnswerSize } from "#base/kernel/answer-size";
import { bindToCall, type Call, inCall } from "#base/kernel/call";
import { TenantryError } from "#base/kernel/errors";
import type { Limits } from "#base/kernel/limits";
import { delay } from "#base/kernel/wait";
import type { Budgets } from "#api/http/limits/budgets";
import { startDeadline, statusOf } from "#api/http/limits/deadline";
import { limitError } from "#api/http/limits/limit-error";

type Run = (args: ExecutionArgs) => unknown;
type Guarded = { limits: Limits; budgets: Budgets };

/** Puts the limits around executing and subscribing. */
export function limitOperations(limits: Limits, budgets: Budgets): Plugin<GraphQLContext> {
  const guarded = { limits, budgets };
  return {
    onExecute({ executeFn, setExecuteFn }) {
      setExecuteFn(((args: ExecutionArgs) => refusing(args, () => execute(guarded, args, executeFn as Run))) as never);
    },
    onSubscribe({ subscribeFn, setSubscribeFn }) {
      setSubscribeFn(((args: ExecutionArgs) =>
        refusing(args, () => follow(guarded, args, subscribeFn as Run))) as never);
    },
  };
}

/**
 * Who is told to come back later is told so after this long. A caller that asks again at once would otherwise keep the
 * process busy with refusals alone (bench/noisy-neighbour.ts).
 */
const REFUSAL_PAUSE_MS = 500;

/** A refusal is an answer: thrown, it would close a web socket with everything else on it. */
async function refusing<Result>(
  { contextValue }: ExecutionArgs,
  work: () => Promise<Result>,
): Promise<Result | { errors: Error[] }> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof TenantryError && error.retryAfterSeconds !== undefined)
      await delay(REFUSAL_PAUSE_MS, (contextValue as GraphQLContext).gone).catch(() => undefined);
    // What was answered with 503 is sent again by balancers, and this one has written something.
    const { written } = contextValue as GraphQLContext;
    if (error instanceof TenantryError)
      return { errors: [limitError(error, written.size > 0 ? 200 : statusOf(error))] };
    throw error;
  }
}

async function execute({ limits, budgets }: Guarded, args: ExecutionArgs, run: Run): Promise<unknown> {
  const { actor, gone, reply, startedAt } = args.contextValue as GraphQLContext;
  const operation = charge({ limits, budgets }, args);
  const deadline = startDeadline({ timeoutMs: limits.timeoutMs, startedAt, gone });
  const statements = budgets.limitStatements(actor);
  const bytes = reply?.bytes ?? new AnswerBytes(limits.maxAnswerBytes);
  const call: Call = {
    signal: deadline.signal,
    answer: bytes.of(operation?.operation ?? "query", deadline.abort),
    ...organizationCharge(budgets, args),
    ...(statements && { withPermit: statements.withPermit }),
  };
  let isWhole = false;
  try {
    const release = await budgets.acquire(actor, deadline.signal);
    reply?.begin();
    try {
      const result = await orAborted(deadline.signal, start(call, args, run));
      isWhole = (result as ExecutionResult | undefined)?.errors === undefined;
      return result;
    } finally {
      if (reply === undefined) release();
      else reply.end(release);
    }
  } finally {
    statements?.release();
    deadline.dispose();
    // What a query still reads, because another field has failed it, is for nobody.
    if (!isWhole && operation?.operation === "query") deadline.abort(new Error("the operation has been answered"));
  }
}

/** The time bounds the beginning, and then each statement for itself: how long it is followed is the caller's matter. */
async function follow({ limits, budgets }: Guarded, args: ExecutionArgs, run: Run): Promise<unknown> {
  const { actor, gone, startedAt } = args.contextValue as GraphQLContext;
  charge({ limits, budgets }, args);
  const close = budgets.openSubscription(actor);
  const deadline = startDeadline({ timeoutMs: limits.timeoutMs, startedAt, gone });
  const event = new EventBytes(limits.maxAnswerBytes, deadline.abort);
  const call: Call = {
    signal: deadline.signal,
    statementTimeoutMs: limits.timeoutMs,
    answer: event.size,
    ...organizationCharge(budgets, args),
  };
  const end = () => {
    close();
    deadline.detach();
  };
  try {
    const release = await budgets.acquire(actor, deadline.signal);
    const followed = await orAborted(deadline.signal, start(call, args, run), endFollowing).finally(release);
    if (!isAsyncIterable(followed)) {
      end();
      return followed;
    }
    deadline.signal.addEventListener("abort", close, { once: true });
    return within(call, followed, event, end);
  } catch (error) {
    end();
    throw error;
  } finally {
    deadline.clearTimer();
  }
}

/** Counts the bytes of each event of a subscription. One that is too large is the last, as an error. */
class EventBytes {
  readonly size: AnswerSize;
  readonly #bytes: AnswerBytes;
  /** Why it has ended; undefined: it goes on. */
  excess: TenantryError | undefined;

  constructor(max: number, abort: (reason: TenantryError) => void) {
    this.#bytes = new AnswerBytes(max);
    this.size = this.#bytes.of("subscription", (error) => {
      this.excess = error;
      abort(error);
    });
  }

  begin(): void {
    this.#bytes.restart();
  }
}

/** Refuses what costs too much, takes the points, and returns the operation; undefined: there is none, which others say. */
function charge({ limits, budgets }: Guarded, args: ExecutionArgs): OperationDefinitionNode | undefined {
  const { schema, document, operationName, variableValues } = args;
  const operation = getOperationAST(document, operationName);
  if (operation == null) return undefined;
  const points = costOf(schema, operation, () => fragmentsOf(document), variableValues ?? {});
  if (points > limits.maxCost)
    throw new TenantryError(
      "LIMIT_EXCEEDED",
      `The operation costs ${points} points, and ${limits.maxCost} is the most: ask for fewer rows, or in parts.`,
      { limit: "cost" },
    );
  const { actor, reply } = args.contextValue as GraphQLContext;
  try {
    budgets.spend(actor, points);
  } finally {
    const rateLimit = reply?.limit === undefined ? undefined : budgets.rateLimitOf(actor);
    if (rateLimit !== undefined) reply?.limit?.(rateLimit);
  }
  return operation;
}

function organizationCharge(budgets: Budgets, args: ExecutionArgs): Pick<Call, "chargeOrganization"> {
  const chargeOrganization = budgets.organizationCharger((args.contextValue as GraphQLContext).actor);
  return chargeOrganization === undefined ? {} : { chargeOrganization };
}

async function start(call: Call, args: ExecutionArgs, run: Run): Promise<unknown> {
  // The executor starts no further resolvers when the signal is aborted.
  return inCall(call, () => run({ ...args, abortSignal: call.signal }));
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

/** Ends what began only after nobody waited for it any more. */
function endFollowing(followed: unknown): void {
  if (isAsyncIterable(followed))
    void followed[Symbol.asyncIterator]()
      .return?.()
      .catch(() => undefined);
}

/** Each event is resolved as part of the call. `onEnd` runs once or more, however the following ends. */
function within(
  call: Call,
  followed: AsyncIterable<unknown>,
  event: EventBytes,
  onEnd: () => void,
): AsyncIterableIterator<unknown> {
  const source = followed[Symbol.asyncIterator]();
  // Whoever asks for the next event may do so from anywhere.
  const inItsCall = inCall(call, bindToCall);
  const next = async (): Promise<IteratorResult<unknown>> => {
    if (event.excess !== undefined) return { value: undefined, done: true };
    event.begin();
    const result = await inItsCall(() => source.next()).catch((error: unknown) => {
      if (event.excess === undefined) throw error;
      return { value: undefined, done: false };
    });
    if (event.excess === undefined) return result;
    onEnd();
    endFollowing(followed);
    return { value: { errors: [limitError(event.excess)] }, done: false };
  };
  return {
    async next() {
      try {
        const result = await next();
        if (result.done === true) onEnd();
        return result;
      } catch (error) {
        onEnd();
        throw error;
      }
    },
    async return() {
      onEnd();
      await source.return?.();
      return { value: undefined, done: true };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
