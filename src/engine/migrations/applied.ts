/** What a database says of its migrations. */

/** A migration that a database has, as it recorded it. */
export type Applied = { part: string; number: number; name: string; checksum: string };

/** Reads the migrations that a database has. */
export const READ_APPLIED = "select part, number, name, checksum from tenantry.migrations";

/** The version of the database that is asked, as JSON of a schema version; an expression. */
export const VERSION_HERE = `(select json_build_object('engine', count(*) filter (where part <> 'app'),
    'app', count(*) filter (where part = 'app')) from tenantry.migrations)`;
