/** Log sequence numbers: positions in a server's WAL, in bytes. Only numbers of the same server compare. */
export type Lsn = bigint & { readonly brand: "Lsn" };

/** Reads PostgreSQL's `pg_lsn` text, such as `0/16B3748`. Throws on anything else. */
export function parseLsn(text: string): Lsn {
  const match = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i.exec(text);
  if (match === null) throw new RangeError("not a log sequence number");
  return ((BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`)) as Lsn;
}

/** Writes it as PostgreSQL does. */
export function formatLsn(lsn: Lsn): string {
  return `${(lsn >> 32n).toString(16)}/${(lsn & 0xffffffffn).toString(16)}`.toUpperCase();
}
