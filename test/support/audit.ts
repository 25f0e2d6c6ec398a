/** What the audit log says, as its readers see it. */
import type { TestApp } from "./app.ts";

export type Entry = {
  id: string;
  action: string;
  outcome: string;
  who: string;
  whoId: string | null;
  via: string;
  address: string | null;
  userAgent: string | null;
  subjectKind: string | null;
  subjectId: string | null;
  organizationId: string | null;
  placementId: string | null;
  regionKey: string | null;
};

export const AUDIT_LOG = `query ($id: ID, $first: Int, $after: String, $without: Boolean) {
  auditLog(organizationId: $id, first: $first, after: $after, leaveOutUnavailable: $without) {
    missingRegions pageInfo { hasNextPage endCursor }
    edges { node { id at action outcome who whoId via address userAgent subjectKind subjectId organizationId placementId regionKey } }
  } }`;

/** The newest entries: of an organization, or with null all of home's. */
export async function entriesOf(
  app: TestApp,
  organizationId: string | null,
  as?: string,
  first = 100,
): Promise<Entry[]> {
  const { auditLog } = await app.ask(AUDIT_LOG, { id: organizationId, first }, as);
  return auditLog.edges.map(({ node }: { node: Entry }) => node);
}
