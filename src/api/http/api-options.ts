import type { SignIn } from "#engine/auth/sign-in";
import { DEFAULT_LIMITS, type Limits } from "#base/kernel/limits";

/** What bounds the API. Left out: the defaults, and what the sign-in suggests. */
export type ApiOptions = {
  /** Over the defaults. */
  limits?: Partial<Limits> | undefined;
  /** Whether everybody may ask for the schema; left out: in development. */
  introspection?: boolean | undefined;
  /** Web pages that may call, by origin, as in https://app.example.com; `*`: all. */
  corsOrigins?: readonly string[] | undefined;
  /** Proxies in front of the API that add to `X-Forwarded-For` and set `X-Forwarded-Proto`. */
  trustedProxies?: number | undefined;
  /** How long a connection may take nothing of what waits for it, in milliseconds; left out: 30 s. For tests. */
  stalledMs?: number | undefined;
  /** A file of operations that are known; with `only`, nothing else runs. */
  persistedOperations?: { file: string; only: boolean } | undefined;
};

/** The same with nothing left out. */
export type ApiSettings = {
  limits: Limits;
  introspection: boolean;
  corsOrigins: readonly string[];
  trustedProxies: number;
  stalledMs: number;
};

const STALLED_MS = 30_000;

export function settingsOf(options: ApiOptions, mode: SignIn["mode"]): ApiSettings {
  return {
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    introspection: options.introspection ?? mode === "development",
    corsOrigins: options.corsOrigins ?? [],
    trustedProxies: options.trustedProxies ?? 0,
    stalledMs: options.stalledMs ?? STALLED_MS,
  };
}
