/** Quoting for the few places where SQL takes no parameter: names in DDL and strings in CREATE SUBSCRIPTION. */

/** A name as a quoted SQL identifier. Throws on NUL and on more than 63 bytes, which PostgreSQL would cut off. */
export function quoteIdentifier(name: string): string {
  if (name.length === 0 || name.includes("\0") || Buffer.byteLength(name) > 63)
    throw new RangeError("not a PostgreSQL identifier: empty, longer than 63 bytes, or with a NUL");
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text as an SQL string literal that does not depend on `standard_conforming_strings`. */
export function quoteLiteral(text: string): string {
  if (text.includes("\0")) throw new RangeError("a text with a NUL is not a PostgreSQL literal");
  const quoted = `'${text.replaceAll("'", "''").replaceAll("\\", "\\\\")}'`;
  return text.includes("\\") ? ` E${quoted}` : quoted;
}

/** A name with its schema, such as `app.invoices`, quoted. Throws RangeError where it is not two identifiers. */
export function quoteQualified(name: string): string {
  const [schema, table, ...rest] = name.split(".");
  if (schema === undefined || table === undefined || rest.length > 0)
    throw new RangeError(`${JSON.stringify(name)} is not a name with its schema`);
  return `${quoteIdentifier(schema)}.${quoteIdentifier(table)}`;
}
