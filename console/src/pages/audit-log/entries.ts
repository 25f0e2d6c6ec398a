/** The entries as they are asked for. */
import { graphql, type ResultOf, type VariablesOf } from "../../api/graphql.ts";

export const AUDIT_LOG = graphql(`
  query AuditLog(
    $first: Int
    $after: String
    $organizationId: ID
    $action: String
    $who: AuditActor
    $whoId: String
    $subjectId: String
    $from: DateTime
    $to: DateTime
  ) {
    auditLog(
      first: $first
      after: $after
      organizationId: $organizationId
      leaveOutUnavailable: true
      action: $action
      who: $who
      whoId: $whoId
      subjectId: $subjectId
      from: $from
      to: $to
    ) {
      edges {
        node {
          id
          at
          outcome
          action
          subjectKind
          subjectId
          organizationId
          placementId
          regionKey
          who
          whoId
          via
          address
          userAgent
        }
      }
      missingRegions
      pageInfo { hasNextPage endCursor }
    }
  }
`);

export type EntryRow = ResultOf<typeof AUDIT_LOG>["auditLog"]["edges"][number]["node"];
export type EntryFilters = Omit<VariablesOf<typeof AUDIT_LOG>, "first" | "after">;
