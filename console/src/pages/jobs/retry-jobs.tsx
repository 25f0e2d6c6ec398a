/** Tries jobs again now, many at once: what was refused is said for each. */
import { graphql } from "../../api/graphql.ts";
import { useChange } from "../../api/use-api.ts";
import { counted } from "../../ui/format.ts";
import { Failure, Notice } from "../../ui/states.tsx";

const RETRY = graphql(`
  mutation RetryJobs($ids: [ID!]!) {
    retryJobs(ids: $ids) { id refusal job { id state } }
  }
`);

/** As many as the API takes at once. */
const AT_ONCE = 100;

type Props = { ids: readonly string[]; onDone?: () => void };

export function RetryJobs({ ids, onDone }: Props) {
  const { mutate, data, error, isPending } = useChange(RETRY, ["jobs", "placements", "overview"]);
  const some = ids.slice(0, AT_ONCE);
  const refused = data?.data.retryJobs.filter(({ refusal }) => refusal !== null) ?? [];
  const begun = (data?.data.retryJobs.length ?? 0) - refused.length;
  return (
    <>
      <span role="status" className="muted">
        {data !== undefined && begun > 0 && `${counted(begun, "job")} begun.`}
      </span>
      {refused.length > 0 && (
        <Notice tone="warn">
          {[...new Set(refused.map(({ refusal }) => refusal))].map((sentence) => (
            <p key={sentence}>{sentence}</p>
          ))}
        </Notice>
      )}
      {error !== null && <Failure error={error} />}
      <button
        type="button"
        className="button"
        disabled={some.length === 0 || isPending}
        onClick={() => mutate({ ids: [...some] }, { onSuccess: () => onDone?.() })}
      >
        {isPending ? "At work …" : some.length < 2 ? "Try now" : `Try ${some.length} now`}
      </button>
    </>
  );
}
