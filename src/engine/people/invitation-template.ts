/**
 * A team's own letter of invitation: a text, and the same as HTML beside it. What is in double braces, such as `{{link}}`, is
 * filled in for each letter; in HTML it is escaped, as names come from users.
 */
import { TenantryError } from "#base/kernel/errors";

/** What a letter can say, by name. */
export type LetterValues = Record<(typeof LETTER_VALUES)[number], string>;

const LETTER_VALUES = ["organization", "inviter", "role", "link", "token", "until"] as const;
const FIRST_LINE = /^Subject: ([^\r\n]+)\r?\n\r?\n/;
const VALUE = /\{\{([^{}]*)\}\}/g;

export type InvitationTemplate = {
  /** The first line of the text file. */
  readonly subject: string;
  readonly text: string;
  /** Undefined: the letter is plain text only. */
  readonly html: string | undefined;
  /** Whether it needs the page of TENANTRY_INVITATION_URL. */
  readonly needsLink: boolean;
};

type TemplateFile = { readonly name: string; readonly text: string };

/** Reads a template. INVALID_INPUT in one sentence, naming the file, when no letter could be made of it. */
export function readInvitationTemplate(text: TemplateFile, html: TemplateFile | undefined): InvitationTemplate {
  const subject = FIRST_LINE.exec(text.text);
  if (subject?.[1] === undefined)
    throw wrong(text, "must begin with a line such as Subject: Invitation to {{organization}}, and an empty line");
  for (const value of ["link", "token"])
    if (subject[1].includes(`{{${value}}}`)) throw wrong(text, `has {{${value}}} in its subject, which many can read`);
  const body = text.text.slice(subject[0].length);
  checkValues(text);
  requireWayIn(text, body);
  if (html !== undefined) {
    checkValues(html);
    requireWayIn(html, html.text);
  }
  return {
    subject: subject[1],
    text: body,
    html: html?.text,
    needsLink: [text, html].some((file) => file?.text.includes("{{link}}") === true),
  };
}

function checkValues(file: TemplateFile): void {
  for (const [, name = ""] of file.text.matchAll(VALUE))
    if (!LETTER_VALUES.some((known) => known === name))
      throw wrong(file, `has {{${name}}}: it can say ${LETTER_VALUES.map((known) => `{{${known}}}`).join(", ")}`);
}

function requireWayIn(file: TemplateFile, body: string): void {
  if (!body.includes("{{link}}") && !body.includes("{{token}}"))
    throw wrong(file, "has neither {{link}} nor {{token}}: nobody could accept");
}

/** Puts the values in. A value that has braces itself is not looked at again. */
export function fillTemplate(template: string, values: LetterValues): string {
  return template.replaceAll(VALUE, (_, name: keyof LetterValues) => values[name]);
}

/** The same for HTML. */
export function fillHtmlTemplate(template: string, values: LetterValues): string {
  return template.replaceAll(VALUE, (_, name: keyof LetterValues) => escapeHtml(values[name]));
}

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? "");
}

function wrong({ name }: TemplateFile, what: string): TenantryError {
  return new TenantryError("INVALID_INPUT", `${name} ${what}.`);
}
