/** The API in components: read and polled, followed, changed. */
import {
  keepPreviousData,
  QueryClient,
  useMutation,
  useQuery,
  useQueryClient,
  type UseQueryResult,
} from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { follow } from "./follow.ts";
import { type Operation, textOf } from "./graphql.ts";
import { type Answer, ApiError, request } from "./request.ts";

/** How often a page that shows what is happening asks again, where nothing tells it. */
export const POLL_MS = 5_000;
/** How often it asks while a subscription tells it what changes: what no event is about changes too. */
export const LIVE_POLL_MS = 30_000;

/** Answers that say that asking again would bring the same. */
const FINAL = new Set(["UNAUTHENTICATED", "FORBIDDEN", "NOT_FOUND", "INVALID_INPUT", "CONFLICT"]);

export function makeQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        retry: (count, error) => count < 2 && !(error instanceof ApiError && FINAL.has(error.code)),
        staleTime: 1_000,
        refetchOnWindowFocus: true,
      },
      mutations: { retry: false },
    },
  });
}

export type Reading<Data> = UseQueryResult<Answer<Data>>;

export type ReadOptions<Data> = {
  /** How often to ask again, or how often by what was read last; left out: only when the page is opened or something was changed. */
  pollMs?: number | false | ((data: Data | undefined) => number);
  /** False: it is not asked. */
  enabled?: boolean;
};

/**
 * Reads, and reads again. A change names the subjects that it makes old ({@link useForget}). `subject` says which one this is.
 */
export function useRead<Data, Variables>(
  subject: string,
  operation: Operation<Data, Variables>,
  variables: Variables,
  { pollMs = false, enabled = true }: ReadOptions<Data> = {},
): Reading<Data> {
  return useQuery({
    queryKey: [subject, textOf(operation), variables],
    queryFn: ({ signal }) => request(operation, variables, signal),
    refetchInterval: typeof pollMs === "function" ? (query) => pollMs(query.state.data?.data) : pollMs,
    // Filters change one at a time: the list stays until the new one is there.
    placeholderData: keepPreviousData,
    enabled,
  });
}

/** Has everything read anew that has one of these subjects. */
export function useForget(): (...subjects: string[]) => Promise<void> {
  const client = useQueryClient();
  return async (...subjects) => {
    await Promise.all(subjects.map((subject) => client.invalidateQueries({ queryKey: [subject] })));
  };
}

/** Changes something; afterwards what has one of the subjects is read anew, whatever came of it. */
export function useChange<Data, Variables>(operation: Operation<Data, Variables>, subjects: readonly string[]) {
  const forget = useForget();
  return useMutation<Answer<Data>, Error, Variables>({
    mutationFn: async (variables) => {
      const answer = await request(operation, variables);
      const [problem] = answer.problems;
      if (problem !== undefined) throw new ApiError(problem);
      return answer;
    },
    onSettled: () => forget(...subjects),
  });
}

/** Follows while the component is shown. Answers whether changes arrive by themselves now. */
export function useFollow<Data, Variables>(
  operation: Operation<Data, Variables>,
  variables: Variables,
  onData: (data: Data) => void,
): boolean {
  const [isLive, setLive] = useState(false);
  const key = JSON.stringify(variables);
  // The variables are compared by what they say.
  useEffect(() => {
    const controller = new AbortController();
    void follow(operation, variables, { onData, onLive: setLive }, controller.signal);
    return () => controller.abort();
  }, [operation, key]);
  return isLive;
}
