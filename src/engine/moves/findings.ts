/** What a look ahead at a move has found, in sentences. */
import { oneLine } from "#engine/failures/explain";
import { classifyFailure, withDetail } from "#engine/jobs/failure";

export type Finding = {
  /** For everybody who may move the placement. What is for the operator alone follows in it, see engine/jobs/failure.ts. */
  sentence: string;
  /** The move does not begin because of it. */
  blocks: boolean;
};

/** The move does not begin. `forOperator`: hosts, settings and a server's own words. */
export function blocker(sentence: string, forOperator?: string): Finding {
  return { sentence: withDetail(sentence, forOperator), blocks: true };
}

/** Good to know. */
export function remark(sentence: string, forOperator?: string): Finding {
  return { sentence: withDetail(sentence, forOperator), blocks: false };
}

/** A server did not answer, or refused: the move does not begin. */
export function refusal(error: unknown): Finding {
  return { sentence: classifyFailure(error).sentence, blocks: true };
}

const MOST_NAMED = 5;

/** Names that a region's server has said, which may say anything. */
export function named(names: readonly string[]): string {
  const shown = names.slice(0, MOST_NAMED).map((name) => JSON.stringify(oneLine(name)));
  const more = names.length - shown.length;
  return `${shown.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

/** The worst first, each once. */
export function inOrder(findings: readonly Finding[]): Finding[] {
  const once = new Map(findings.map((finding) => [finding.sentence, finding]));
  return [...once.values()].toSorted((a, b) => Number(b.blocks) - Number(a.blocks));
}
