/** The letter that invites somebody: who invites, into what, as what, where to accept, and until when. */
import { TenantryError } from "#base/kernel/errors";
import type { Role } from "#engine/auth/roles";
import { nameFrom } from "#base/kernel/validation";
import {
  fillHtmlTemplate,
  fillTemplate,
  type InvitationTemplate,
  type LetterValues,
} from "#engine/people/invitation-template";
import type { NewInvitation } from "#engine/people/invitations";
import type { Mail } from "#engine/people/mail";

/** How an installation's letters look and where they lead. */
export type Letters = {
  /** The team's page, with `{token}` in it; undefined: the letter has the token itself. */
  readonly invitationUrl?: string | undefined;
  /** Undefined: the letter that ships. */
  readonly template?: InvitationTemplate | undefined;
};

/** Refuses a template with a link where no page is set. */
export function requireLink(letters: Letters): Letters {
  if (letters.template?.needsLink === true && letters.invitationUrl === undefined)
    throw new TenantryError(
      "INVALID_INPUT",
      "The template of the invitation has {{link}}: set TENANTRY_INVITATION_URL to the page that it leads to.",
    );
  return letters;
}

/** Characters of a name that a letter shows. */
const MAX_SHOWN = 80;

const ROLE_WORDS: Record<Role, string> = {
  OWNER: "an owner, who manages the organization and everybody in it",
  ADMIN: "an admin, who reads and writes, and manages its members",
  MEMBER: "a member, who reads and writes",
  VIEWER: "a viewer, who reads",
};

/**
 * The letter. The names in it are texts of its sender's. Each stands on one line, in quotation marks that it cannot close, and
 * is cut, so that the sender does not write the platform's letter with it.
 */
export function invitationLetter(
  { invitation, token, organizationName, inviterName }: Omit<NewInvitation, "mailId" | "replacedId">,
  { invitationUrl, template }: Letters,
): Mail {
  const values: LetterValues = {
    organization: quoted(organizationName),
    inviter: inviterName === null ? "The operator of this service" : quoted(inviterName),
    role: ROLE_WORDS[invitation.role],
    link: invitationUrl?.replace("{token}", token) ?? "",
    token,
    until: moment(invitation.expiresAt),
  };
  const { subject, text, html } = template ?? (invitationUrl === undefined ? WITH_TOKEN : WITH_LINK);
  return {
    to: invitation.email,
    subject: fillTemplate(subject, values),
    text: fillTemplate(text, values),
    ...(html === undefined ? {} : { html: fillHtmlTemplate(html, values) }),
  };
}

/** As in "Sunday 6 December 2026 at 17:14 UTC". */
function moment(at: Date): string {
  const words = new Intl.DateTimeFormat("en-GB", {
    weekday: "long",
    day: "numeric",
    month: "long",
    year: "numeric",
    timeZone: "UTC",
  }).format(at);
  return `${words.replace(",", "")} at ${at.toISOString().slice(11, 16)} UTC`;
}

/** A name as it is quoted: on one line, whatever is stored. */
function quoted(name: string): string {
  const characters = [...(nameFrom(name) ?? "")].map((one) => (QUOTATION_MARKS.has(one) ? "'" : one));
  const shown = characters.length > MAX_SHOWN ? [...characters.slice(0, MAX_SHOWN), "…"] : characters;
  return `"${shown.join("")}"`;
}

const QUOTATION_MARKS = new Set(['"', "“", "”", "„", "‟", "«", "»", "″", "＂"]);

const SUBJECT = "Invitation to {{organization}}";

/** The two letters that ship. What differs is how the person accepts. */
const WITH_LINK = letterThatShips(
  ["Accept here:", "", "  {{link}}"],
  `<p style="margin:24px 0"><a href="{{link}}" style="padding:10px 18px;border-radius:6px;background:#1f5fd6;color:#ffffff;text-decoration:none">See the invitation</a></p>
<p>Or open this address: <br><a href="{{link}}" style="color:#1f5fd6;word-break:break-all">{{link}}</a></p>`,
);
const WITH_TOKEN = letterThatShips(
  ["Sign in and accept with this token:", "", "  {{token}}"],
  `<p>Sign in and accept with this token:</p>
<p><code style="word-break:break-all">{{token}}</code></p>`,
);

function letterThatShips(wayIn: readonly string[], wayInAsHtml: string): InvitationTemplate {
  const text = [
    "You are invited to an organization. Its members call it:",
    "",
    "  {{organization}}",
    "",
    "Invited by:  {{inviter}}",
    "You become:  {{role}}",
    "",
    ...wayIn,
    "",
    "The invitation is good until {{until}}, once, and for this address only.",
    "If you did not expect it, do nothing.",
    "",
  ].join("\n");
  const html = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Invitation</title></head>
<body style="margin:0;padding:24px;font:16px/1.5 system-ui,sans-serif;color:#1b2433;background:#ffffff">
<div style="max-width:34em;margin:0 auto">
<p>You are invited to an organization. Its members call it:</p>
<p style="font-size:20px"><bdi>{{organization}}</bdi></p>
<p>Invited by: <bdi>{{inviter}}</bdi><br>You become: {{role}}</p>
${wayInAsHtml}
<p style="color:#5a6679">The invitation is good until {{until}}, once, and for this address only.
If you did not expect it, do nothing.</p>
</div>
</body>
</html>
`;
  return { subject: SUBJECT, text, html, needsLink: false };
}
