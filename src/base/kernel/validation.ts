/** Checks of what callers send. Each throws INVALID_INPUT with the field's name, and returns the cleaned value. */
import { z } from "zod";
import { invalidInput } from "#base/kernel/errors";
import { isUuid } from "#base/kernel/ids";

export const MAX_NAME_LENGTH = 200;
export const MAX_BODY_LENGTH = 10_000;
const MAX_EMAIL_LENGTH = 320;
const REGION_KEY = /^[a-z][a-z0-9-]{0,39}$/;
const emailFormat = z.email();
const ASCII = /^[ -~]*$/;

/**
 * A part of a regular expression: the characters that a name may not have. These are control characters, line breaks,
 * marks that change the direction of text, and invisible characters. A name stands in lists, logs and mails beside what
 * others wrote. The joiners U+200C and U+200D stay: scripts need them. PostgreSQL reads it likewise; the function
 * tenantry.is_name at home has the same list.
 */
export const NOT_IN_NAMES =
  "[\\u0001-\\u001f\\u007f-\\u009f\\u00ad\\u061c\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb]";
const HAS_NOT_IN_NAMES = new RegExp(NOT_IN_NAMES);
const RUNS_NOT_IN_NAMES = new RegExp(`(?:${NOT_IN_NAMES}|[\\0\\s])+`, "g");
/** Of these alone nothing can be seen. */
const ONLY_JOINERS = /^[\u200c\u200d\s]*$/;

/** A name: not empty, at most 200 characters, without characters that cannot be seen; surrounding white space removed. */
export function validName(field: string, value: string): string {
  const name = validText(field, value.trim(), MAX_NAME_LENGTH);
  if (HAS_NOT_IN_NAMES.test(name))
    throw invalidInput(
      field,
      `${field} has a character that names may not have: a line break, a control character, a mark of direction or an invisible one.`,
    );
  if (ONLY_JOINERS.test(name)) throw invalidInput(field, `${field} must have something that can be seen.`);
  return name;
}

/** A name made of what somebody else calls a person: what names may not have is left out. Undefined when nothing remains. */
export function nameFrom(value: unknown): string | undefined {
  if (typeof value !== "string") return undefined;
  const name = [...value.toWellFormed().replaceAll(RUNS_NOT_IN_NAMES, " ").trim()]
    .slice(0, MAX_NAME_LENGTH)
    .join("")
    .trim();
  return ONLY_JOINERS.test(name) ? undefined : name;
}

/** A longer text of somebody's own: not blank, at most 10,000 characters, kept as it is. */
export function validBody(field: string, value: string): string {
  if (value.trim() === "") throw invalidInput(field, `${field} must not be empty.`);
  return validText(field, value, MAX_BODY_LENGTH);
}

/**
 * An e-mail address of the usual form, in ASCII: an address says who somebody is, and letters of other scripts can look like
 * these or become these when case is left aside.
 */
export function validEmail(field: string, value: string): string {
  const email = validText(field, value.trim(), MAX_EMAIL_LENGTH);
  if (!ASCII.test(email))
    throw invalidInput(field, `${field} must be an e-mail address in ASCII: write an international domain as xn--….`);
  if (!isEmail(email)) throw invalidInput(field, `${field} is not an e-mail address.`);
  return email;
}

/** Whether it is an address that {@link validEmail} takes, as it is. */
export function isEmail(value: string): boolean {
  return value.length <= MAX_EMAIL_LENGTH && ASCII.test(value) && emailFormat.safeParse(value).success;
}

/** Whether PostgreSQL stores it as it is: it takes no NUL, and half of a surrogate pair would become another character. */
export function isStorable(value: string): boolean {
  return !value.includes("\0") && value.isWellFormed();
}

/** An id: a UUID, in lower case. */
export function validId(field: string, value: string): string {
  if (!isUuid(value)) throw invalidInput(field, `${field} must be a UUID, as all ids are.`);
  return value.toLowerCase();
}

/** Ids without their doubles: `most` of them at most. */
export function validIds(field: string, values: readonly string[], most: number): string[] {
  if (values.length > most) throw invalidInput(field, `${field} must not be more than ${most}.`);
  return [...new Set(values.map((value) => validId(field, value)))];
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
  requireStorable(field, value);
  return value;
}

/** Throws INVALID_INPUT for text that {@link isStorable} refuses. */
export function requireStorable(field: string, value: string): void {
  if (!isStorable(value))
    throw invalidInput(field, `${field} has a character that cannot be stored (NUL or half of a surrogate pair).`);
}
