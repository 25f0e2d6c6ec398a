/**
 * Settings that every session of Tenantry relies on. A server's administrator can set others for a database or a role; ours
 * win. With a `search_path` of somebody else, `json_agg` or `now` in a statement would be a function of theirs.
 */

/**
 * Functions and operators are PostgreSQL's own, and all else is named with its schema. Temporary tables come last: where
 * they are not named, they come first (https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-SEARCH-PATH).
 */
const SEARCH_PATH = "pg_catalog, pg_temp";

/** For the start of a connection: what is given there outranks the settings of databases and roles. */
export const STARTUP_OPTIONS = `-c search_path=${SEARCH_PATH.replaceAll(" ", "")}`;

/**
 * For one statement or transaction. A pooler refuses the option at the start, and hands the server's connection from one
 * client to the next, so the setting goes with the transaction there.
 */
export const SEARCH_PATH_SETTING = { setting: "search_path", value: SEARCH_PATH } as const;

/** The same, to stand after `begin` in one message. */
export const PIN_TRANSACTION = `set local search_path = ${SEARCH_PATH}`;
