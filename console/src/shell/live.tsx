/**
 * One subscription for the whole page: every change of a job that the caller may see. It says which answers are old; the
 * pages then read anew. While there is none they poll.
 */
import { createContext, type ReactNode, useCallback, useContext, useRef } from "react";
import { graphql } from "../api/graphql.ts";
import { LIVE_POLL_MS, POLL_MS, useFollow, useForget } from "../api/use-api.ts";

const JOB_CHANGED = graphql(`
  subscription JobChanged {
    jobChanged { id placementId }
  }
`);

/** A job that runs through its steps changes many times a second: the pages read anew this often. */
const GATHER_MS = 500;
/** What a job may change. */
const SUBJECTS = ["jobs", "placements", "overview", "fleet", "organizations"];

const LiveContext = createContext(false);

export function Live({ children }: { children: ReactNode }) {
  const forget = useForget();
  const waiting = useRef(false);
  const onData = useCallback(() => {
    if (waiting.current) return;
    waiting.current = true;
    setTimeout(() => {
      waiting.current = false;
      void forget(...SUBJECTS);
    }, GATHER_MS);
  }, [forget]);
  const isLive = useFollow(JOB_CHANGED, {}, onData);
  return <LiveContext value={isLive}>{children}</LiveContext>;
}

/** Whether changes arrive by themselves. */
export function useLive(): boolean {
  return useContext(LiveContext);
}

/** How often a page about jobs and placements polls: seldom while it is told what changes. */
export function usePollMs(): number {
  return useLive() ? LIVE_POLL_MS : POLL_MS;
}
