/**
 * Ids are UUIDv7 (RFC 9562): a millisecond timestamp (clock.ts says by which clock), so that index pages fill in order, then random bits.
 * Ids of the app's rows carry the number of their placement in the first 24 of those random bits, so that
 * an id alone says which database holds the row. The default organization is number 0.
 *
 * Layout: 48 bits time | 4 version | 12 random | 2 variant | 24 placement number | 38 random.
 */
import { randomFillSync } from "node:crypto";
import { clockMs } from "#base/kernel/clock";

/** The number of the default organization: its rows live at home. */
export const HOME_NUMBER = 0;

/** The default organization in rows; the API shows it as null. It has no row of its own (engine/schema/home/0001_home.sql). */
export const DEFAULT_ORGANIZATION_ID = "00000000-0000-0000-0000-000000000000";

/** Placement numbers fit 24 bits; the sequence at home ends there too. */
export const MAX_PLACEMENT_NUMBER = 0xff_ff_ff;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

// Random bytes are drawn in blocks: one call per id costs more than the rest of the function.
const pool = Buffer.allocUnsafe(10 * 256);
let poolOffset = pool.length;

/** A fresh id that routes to the placement with this number. Throws RangeError on a number outside 24 bits. */
export function newRoutedId(placementNumber: number): string {
  if (!Number.isInteger(placementNumber) || placementNumber < 0 || placementNumber > MAX_PLACEMENT_NUMBER)
    throw new RangeError(`placement number ${placementNumber} does not fit 24 bits`);
  const bytes = randomUuidV7();
  // Byte 8 holds the two variant bits and six bits of the number; byte 11 its last two bits.
  bytes[8] = 0x80 | (placementNumber >>> 18);
  bytes[9] = (placementNumber >>> 10) & 0xff;
  bytes[10] = (placementNumber >>> 2) & 0xff;
  bytes[11] = ((placementNumber & 0x03) << 6) | ((bytes[11] ?? 0) & 0x3f);
  return format(bytes);
}

/** A fresh id that routes nowhere: users, organizations, placements, regions. */
export function newId(): string {
  return format(randomUuidV7());
}

/** The placement number inside an id made by {@link newRoutedId}. Any other UUID gives an arbitrary number. */
export function placementNumberOf(id: string): number {
  // The last two groups of the usual spelling: four digits, and the first four of twelve.
  return (Number.parseInt(id.slice(19, 23) + id.slice(24, 28), 16) >>> 6) & 0xff_ff_ff;
}

/** Whether the text is a UUID in its usual spelling, upper or lower case. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}

function randomUuidV7(): Uint8Array {
  if (poolOffset === pool.length) {
    randomFillSync(pool);
    poolOffset = 0;
  }
  const bytes = new Uint8Array(16);
  bytes.set(pool.subarray(poolOffset, poolOffset + 10), 6);
  poolOffset += 10;
  const now = Math.floor(clockMs());
  bytes[0] = (now / 2 ** 40) & 0xff;
  bytes[1] = (now / 2 ** 32) & 0xff;
  bytes[2] = (now >>> 24) & 0xff;
  bytes[3] = (now >>> 16) & 0xff;
  bytes[4] = (now >>> 8) & 0xff;
  bytes[5] = now & 0xff;
  bytes[6] = 0x70 | ((bytes[6] ?? 0) & 0x0f);
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
  return bytes;
}

function format(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, 16).toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
