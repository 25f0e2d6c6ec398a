/**
 * Web sockets in bearer mode: one that does not sign in with its first message is closed, one whose sign-in has ended is
 * closed too, and an address has only so many open that have not signed in yet. In development nothing is asked.
 */
import type { IncomingMessage } from "node:http";
import type { WebSocket } from "ws";
import type { Credentials, SignedIn } from "#engine/auth/sign-in";
import { TenantryError } from "#base/kernel/errors";
import { clientOf } from "#api/http/guards/client";
import { networkOf } from "#api/http/guards/client-network";
import { canEnd, whenOver } from "#api/http/guards/end-with-sign-in";
import type { EndpointParts } from "#api/http/endpoint/graphql-endpoint";
import { withinTerm } from "#api/http/limits/deadline";

/** The first message, `connection_init`, must have come after this long: then graphql-ws closes the socket with 4408. */
export const SOCKET_INIT_TIMEOUT_MS = 3_000;
/** What is followed says itself that the sign-in has ended. That is sent before the socket is closed. */
const LAST_WORDS_MS = 1_000;

// Those that graphql-ws has for it, and for the rest numbers on which its client tries again.
const CLOSE = {
  nothingShown: [4401, "Unauthorized"],
  refused: [4403, "Forbidden"],
  tooManyFailures: [4429, "Too many sign-ins have failed"],
  unknown: [1013, "Try again later"],
} as const;

export class SocketSignIn {
  readonly #parts: Pick<EndpointParts, "guard" | "services" | "settings" | "signIn">;
  /** Sockets that have not signed in, by the network that they come from. */
  readonly #waiting = new Map<string, number>();
  /** How to say of a socket that it does not wait any more. */
  readonly #leave = new WeakMap<WebSocket, () => void>();

  constructor(parts: Pick<EndpointParts, "guard" | "services" | "settings" | "signIn">) {
    this.#parts = parts;
  }

  /** Whether one more socket may come from there. */
  hasRoomFor(request: IncomingMessage): boolean {
    const { maxSocketsSigningIn: most } = this.#parts.settings.limits;
    if (this.#parts.signIn.mode === "development" || most === 0) return true;
    return (this.#waiting.get(this.#networkOf(request)) ?? 0) < most;
  }

  /** Counts the socket until it has signed in, or is closed. */
  opened(socket: WebSocket, request: IncomingMessage): void {
    const network = this.#networkOf(request);
    this.#waiting.set(network, (this.#waiting.get(network) ?? 0) + 1);
    let left = false;
    const leave = () => {
      if (left) return;
      left = true;
      const others = (this.#waiting.get(network) ?? 1) - 1;
      if (others === 0) this.#waiting.delete(network);
      else this.#waiting.set(network, others);
    };
    this.#leave.set(socket, leave);
    socket.once("close", leave);
  }

  /** Whether the socket may stay. Where it may not, it is closed with a code that says why. */
  async signIn(socket: WebSocket, request: IncomingMessage, credentials: Credentials): Promise<boolean> {
    const { signIn, guard, settings, services } = this.#parts;
    if (signIn.mode === "bearer") {
      try {
        const client = clientOf(request, settings.trustedProxies);
        const term = { timeoutMs: settings.limits.timeoutMs, startedAt: performance.now() };
        this.#closeWithSignIn(socket, await withinTerm(term, guard.identify({ ...credentials, client })));
      } catch (error) {
        if (!(error instanceof TenantryError)) services.logger.error({ err: error }, "a web socket could not sign in");
        const [code, reason] = closeFor(error, credentials);
        socket.close(code, reason);
        return false;
      }
    }
    this.#leave.get(socket)?.();
    return true;
  }

  /** Also when nothing is followed on it: nothing could be done on it any more. */
  #closeWithSignIn(socket: WebSocket, signedIn: SignedIn): void {
    if (!canEnd(signedIn)) return;
    // Closed meanwhile: it would not say so again.
    if (socket.readyState !== socket.OPEN) return;
    const { over, forget } = whenOver(this.#parts.signIn, signedIn);
    socket.once("close", forget);
    void over.then(() => setTimeout(() => socket.close(...CLOSE.refused), LAST_WORDS_MS).unref());
  }

  #networkOf(request: IncomingMessage): string {
    return networkOf(clientOf(request, this.#parts.settings.trustedProxies).address ?? "unknown");
  }
}

function closeFor(error: unknown, { authorization }: Credentials): readonly [number, string] {
  if (!(error instanceof TenantryError)) return CLOSE.unknown;
  if (error.code === "LIMIT_EXCEEDED" && error.retryAfterSeconds !== undefined) return CLOSE.tooManyFailures;
  if (error.code !== "UNAUTHENTICATED") return CLOSE.unknown;
  return authorization === null ? CLOSE.nothingShown : CLOSE.refused;
}
