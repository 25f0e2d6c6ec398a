/** A span for each statement, by its name. Its text and its values are nobody's who looks at traces. */
import { currentCause } from "#base/kernel/call";
import { errorTypeOf } from "#base/observability/spans";
import type { FailedAt } from "#base/postgres/failed-at";
import { sqlState } from "#base/postgres/sql-state";

/**
 * Runs a statement as a part of the running trace, if there is one. The attributes are those of OpenTelemetry's conventions for
 * databases: https://opentelemetry.io/docs/specs/semconv/database/postgresql/
 */
export function withStatementSpan<Result>(
  name: string,
  at: Omit<FailedAt, "isConnecting">,
  run: () => Promise<Result>,
): Promise<Result> {
  const parent = currentCause()?.span;
  if (parent === undefined) return run();
  const colon = at.server.lastIndexOf(":");
  const span = parent.child(name, "client", {
    "db.system.name": "postgresql",
    "db.namespace": at.database,
    "db.query.summary": name,
    "server.address": at.server.slice(0, colon),
    "server.port": Number(at.server.slice(colon + 1)),
    "tenantry.database": at.kind,
    "tenantry.region": at.region,
  });
  return run().then(
    (result) => {
      if (Array.isArray(result)) span.set({ "db.response.returned_rows": result.length });
      span.end();
      return result;
    },
    (error: unknown) => {
      span.set({ "db.response.status_code": sqlState(error) });
      span.end(errorTypeOf(error));
      throw error;
    },
  );
}
