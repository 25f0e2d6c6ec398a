/** Counts every operation: those that ran, those that a limit kept from running, and those that were none. */
import { type DocumentNode, Kind } from "graphql";
import type { Plugin } from "graphql-yoga";
import type { GraphQLContext } from "#api/graphql/context";
import type { PersistedOperations } from "#api/http/endpoint/persisted-operations";
import type { Metrics, OperationOutcome } from "#base/observability/metrics";

/** Outermost, so that what limits refuse counts too. Adds to a result what it is too early for. */
export function countOperations(metrics: Metrics): Plugin<GraphQLContext> {
  const count = (kind: string, result: object, started: number) =>
    metrics.operation(kind, outcomeOf(result), (performance.now() - started) / 1_000);
  return {
    onParse:
      () =>
      ({ result }) => {
        if (result instanceof Error) metrics.operationRefused("parse");
      },
    onValidate:
      () =>
      ({ valid }) => {
        if (!valid) metrics.operationRefused("validate");
      },
    onExecute({ args }) {
      const started = performance.now();
      const kind = operationKind(args.document as DocumentNode);
      return {
        onExecuteDone({ result, setResult }) {
          const { lag } = args.contextValue as GraphQLContext;
          if (lag.length > 0 && !(Symbol.asyncIterator in result))
            setResult({ ...result, extensions: { ...result.extensions, replicationLag: lag } });
          count(kind, result, started);
        },
      };
    },
    onSubscribe() {
      const started = performance.now();
      return { onSubscribeResult: ({ result }) => count("subscription", result, started) };
    },
  };
}

/** The same known operations, with those counted that may not run. */
export function countRefused(persisted: PersistedOperations, metrics: Metrics): PersistedOperations {
  return {
    textOf: (params) => {
      try {
        return persisted.textOf(params);
      } catch (error) {
        metrics.operationRefused("known_operations");
        throw error;
      }
    },
  };
}

/** What a limit refuses has no data; what ran and failed has at least null. */
function outcomeOf(result: object): OperationOutcome {
  const failed = "errors" in result && Array.isArray(result.errors) && result.errors.length > 0;
  if (!failed) return "ok";
  return "data" in result ? "error" : "refused";
}

function operationKind(document: DocumentNode): string {
  const definition = document.definitions.find((one) => one.kind === Kind.OPERATION_DEFINITION);
  return definition?.operation ?? "query";
}
