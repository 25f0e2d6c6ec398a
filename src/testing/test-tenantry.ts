/** What tests of a team's tables work with. */

/** An organization with a tenant database. */
export type TestOrganization = {
  readonly id: string;
  /**
   * Runs a statement in the tenant database as the API does: it sees and writes the rows of this organization and no others.
   * Returns the rows.
   */
  readonly query: <Row extends object = Record<string, unknown>>(
    text: string,
    values?: readonly unknown[],
  ) => Promise<Row[]>;
};

/** Tenantry on PostgreSQL servers of its own: home, and the region `eu`. */
export type TestTenantry = AsyncDisposable & {
  /** Makes an organization with a tenant database, or with a place in the region's shared one. */
  readonly organization: (name: string, options?: { shared?: boolean }) => Promise<TestOrganization>;
  /**
   * Runs a statement at home, where the schema `catalog` has what has flowed there of all organizations. First waits until what
   * the organizations have written so far has arrived.
   */
  readonly atHome: <Row extends object = Record<string, unknown>>(
    text: string,
    values?: readonly unknown[],
  ) => Promise<Row[]>;
  /** Stops everything and removes the servers' data. */
  readonly stop: () => Promise<void>;
};

export type TestOptions = {
  /** The folder of `tenantry.config.ts`; left out: the working folder. */
  folder?: string;
};
