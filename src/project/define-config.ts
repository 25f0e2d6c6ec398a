/** What a team writes in `tenantry.config.ts`. */

/** The configuration of a project with tables of its own. Paths are seen from the folder that the file is in. */
export type TenantryConfig = {
  migrations: {
    /**
     * The folder with the migrations of the team's tables: plain SQL in files such as `0001_invoices.sql`, numbered without
     * gaps from 0000 or 0001. Home and every tenant database run them.
     */
    tenant: string;
    /**
     * The folder with the migrations of tables that are at home only, in schema `home`: of the whole installation and of no
     * organization, such as plans or prices. Left out: there are none.
     */
    home?: string | undefined;
  };
  /**
   * Files that add to the GraphQL API: each exports what `defineModule` of `tenantry/graphql` returns. Left out: the API has
   * the engine's own types.
   */
  modules?: string[] | undefined;
  /**
   * The file with what erasing somebody does to the team's tables: plain SQL that goes by `tenantry.erased_user()`. It runs in
   * every tenant database and at home, in one transaction each, before the person's id is taken out of the columns that
   * `tenantry.personal` declares as a user's. Left out: the id is taken out, and nothing else happens.
   */
  erase?: string | undefined;
  /**
   * The files with the letter of invitation: a text whose first line is `Subject: …`, and the same as HTML. They can say
   * `{{organization}}`, `{{inviter}}`, `{{role}}`, `{{link}}`, `{{token}}` and `{{until}}`. Without `html` the letter is plain
   * text. Left out: the letter that ships.
   */
  invitation?: { text: string; html?: string | undefined } | undefined;
};

/**
 * Returns the configuration as it is, so that an editor knows its type.
 *
 * @example
 * ```ts
 * // tenantry.config.ts
 * export default defineConfig({ migrations: { tenant: "./db/tenant" }, modules: ["./src/invoices.ts"] });
 * ```
 */
export function defineConfig(config: TenantryConfig): TenantryConfig {
  return config;
}
