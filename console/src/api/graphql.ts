/**
 * Operations as text, with types from the schema. gql.tada's types are used and none of its code: at run time an
 * operation is its text, so that no parser of GraphQL is sent to the browser.
 */
import type { initGraphQLTada, ResultOf, TadaDocumentNode, VariablesOf } from "gql.tada";
import type { introspection } from "./introspection.d.ts";

type Tag = ReturnType<
  typeof initGraphQLTada<{
    introspection: introspection;
    scalars: { DateTime: string; ID: string };
    disableMasking: true;
  }>
>;

type Text = { text: string; fragments: readonly Text[] };

const make = (text: string, fragments: readonly Text[] = []): Text => ({ text, fragments });

/** An operation or a fragment: `graphql("query …", [fragments that it uses])`. */
export const graphql = make as unknown as Tag;

/** What is sent: the operation, and each fragment that it needs once. */
export function textOf(document: object): string {
  const texts = new Set<string>();
  const visit = ({ text, fragments }: Text): void => {
    texts.add(text);
    for (const fragment of fragments) visit(fragment);
  };
  visit(document as Text);
  return [...texts].join("\n");
}

export type Operation<Data, Variables> = TadaDocumentNode<Data, Variables, unknown>;
export type { ResultOf, VariablesOf };
