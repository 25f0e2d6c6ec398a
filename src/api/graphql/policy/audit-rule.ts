import type { SubjectKind } from "#engine/audit/entry";

/** What the entry about a mutation is about. Paths are names with dots between, such as `input.organizationId`. */
export type AuditRule = {
  subject: SubjectKind;
  /** Where the arguments name the subject, and its organization; the organization is looked up where it is not named. */
  id?: string;
  organization?: string;
  /** Where the result names what the arguments could not. */
  made?: { id: string; organization?: string };
  /**
   * The mutation writes content, and the entry beside it in the same statement; only what was refused is recorded here, at
   * home, as nothing came of it that had to stay in a region.
   */
  content?: true;
};
