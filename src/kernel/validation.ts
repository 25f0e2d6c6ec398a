/** Checks of what callers send. Each throws INVALID_INPUT with the field's name, and returns the cleaned value. */
import { z } from "zod";
import { invalidInput } from "#kernel/errors";
import { isUuid } from "#kernel/ids";

export const MAX_NAME_LENGTH = 200;
export const MAX_BODY_LENGTH = 10_000;
const MAX_EMAIL_LENGTH = 320;
const REGION_KEY = /^[a-z][a-z0-9-]{0,39}$/;
const emailFormat = z.email();

/** A name: not empty, at most 200 characters, surrounding white space removed. */
export function validName(field: string, value: string): string {
  return validText(field, value.trim(), MAX_NAME_LENGTH);
}

/** A comment's body: not blank, at most 10,000 characters, kept as it is. */
export function validBody(field: string, value: string): string {
  if (value.trim() === "") throw invalidInput(field, `${field} must not be empty.`);
  return validText(field, value, MAX_BODY_LENGTH);
}

/** An e-mail address of the usual form. */
export function validEmail(field: string, value: string): string {
  const email = validText(field, value.trim(), MAX_EMAIL_LENGTH);
  if (!emailFormat.safeParse(email).success) throw invalidInput(field, `${field} is not an e-mail address.`);
  return email;
}

/** An id: a UUID, in lower case. */
export function validId(field: string, value: string): string {
  if (!isUuid(value)) throw invalidInput(field, `${field} is not an id: a UUID is expected.`);
  return value.toLowerCase();
}

/** Whether it has the form of a region's key. */
export function isRegionKey(value: string): boolean {
  return REGION_KEY.test(value);
}

/** A region's key: what people type, as in `eu` or `ap-south-1`. */
export function validRegionKey(field: string, value: string): string {
  if (!isRegionKey(value))
    throw invalidInput(
      field,
      `${field} must be a lower-case letter followed by at most 39 letters, digits or hyphens, such as eu or ap-south-1.`,
    );
  return value;
}

function validText(field: string, value: string, maxLength: number): string {
  if (value === "") throw invalidInput(field, `${field} must not be empty.`);
  // PostgreSQL counts characters as code points, and so do we.
  if (value.length > maxLength && [...value].length > maxLength)
    throw invalidInput(field, `${field} must not be longer than ${maxLength.toLocaleString("en")} characters.`);
  if (value.includes("\0") || !value.isWellFormed())
    throw invalidInput(field, `${field} has a character that cannot be stored (NUL or half of a surrogate pair).`);
  return value;
}
