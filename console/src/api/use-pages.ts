/** Lists that come in pages: what was read so far, and the next page on demand. */
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { type Operation, textOf } from "./graphql.ts";
import { type Answer, type Problem, request } from "./request.ts";

type Connection<Node> = {
  edges: readonly { node: Node }[] | null;
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
};

/** How many rows a page has; the API's greatest. */
export const PAGE_ROWS = 100;

export type Paged<Data, Node> = {
  rows: readonly Node[];
  /** The first page's whole answer: for what stands beside the list. */
  first: Data | undefined;
  problems: readonly Problem[];
  isPending: boolean;
  error: Error | null;
  hasMore: boolean;
  isLoadingMore: boolean;
  more: () => void;
  again: () => void;
};

export type PageOptions = {
  /** How often to ask again; left out: only when the page is opened or something was changed. */
  pollMs?: number | false;
  /** False: it is not asked. */
  enabled?: boolean;
};

/** `$first` and `$after` of the operation are filled in; `pick` finds the connection in its answer. */
export function usePages<Data, Node, Variables extends { first?: number | null; after?: string | null }>(
  subject: string,
  operation: Operation<Data, Variables>,
  variables: Omit<Variables, "first" | "after">,
  pick: (data: Data) => Connection<Node> | null,
  { pollMs = false, enabled = true }: PageOptions = {},
): Paged<Data, Node> {
  const query = useInfiniteQuery({
    queryKey: [subject, textOf(operation), variables, "pages"],
    initialPageParam: null as string | null,
    queryFn: ({ signal, pageParam }): Promise<Answer<Data>> =>
      request(operation, { ...variables, first: PAGE_ROWS, after: pageParam } as unknown as Variables, signal),
    getNextPageParam: ({ data }) => {
      const info = pick(data)?.pageInfo;
      return info?.hasNextPage === true ? info.endCursor : undefined;
    },
    refetchInterval: pollMs,
    placeholderData: keepPreviousData,
    enabled,
  });
  const pages = query.data?.pages ?? [];
  return {
    rows: pages.flatMap(({ data }) => pick(data)?.edges?.map(({ node }) => node) ?? []),
    first: pages[0]?.data,
    problems: pages.flatMap(({ problems }) => problems),
    isPending: query.isPending,
    error: query.error,
    hasMore: query.hasNextPage,
    isLoadingMore: query.isFetchingNextPage,
    more: () => void query.fetchNextPage(),
    again: () => void query.refetch(),
  };
}
