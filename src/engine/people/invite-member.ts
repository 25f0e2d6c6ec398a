import type { Actor } from "#engine/auth/actor";
import type { Role } from "#engine/auth/policy";
import { createInvitation, type Invitation, type NewInvitation, undoInvitation } from "#engine/people/invitations";
import { TenantryError } from "#base/kernel/errors";
import { nameFrom } from "#base/kernel/validation";
import type { Mail } from "#engine/people/mail";
import type { Services } from "#engine/services";

/**
 * Invites an address to an organization and sends it the token. When the mail cannot be handed over the invitation is taken
 * back, so that nothing is open that nobody can accept. CAPABILITY_MISSING then, and where there is no mail server; other errors
 * as createInvitation.
 */
export async function inviteMember(
  services: Services,
  actor: Actor,
  input: { organizationId: string; email: string; role: Role; expiresInDays: number },
): Promise<Invitation> {
  const { home, mailer, logger } = services;
  const made = await createInvitation({ home, requireMail: mailer.requireUsable }, actor, input);
  try {
    await mailer.send(invitationMail(made));
  } catch (error) {
    await undoInvitation(services, made);
    logger.warn({ err: error }, "an invitation could not be sent");
    throw new TenantryError(
      "CAPABILITY_MISSING",
      "The invitation could not be sent: the mail server did not take it. Try again later.",
      {
        cause: error,
      },
    );
  }
  return made.invitation;
}

/** Characters of a name that a mail shows. */
const MAX_SHOWN = 80;

/**
 * The mail. The organization's name is a text of the sender's. It stands on a line of its own, in quotation marks that it
 * cannot close, and is cut, so that the sender does not write the platform's mail with it.
 */
export function invitationMail({
  invitation,
  token,
  organizationName,
}: Pick<NewInvitation, "invitation" | "token" | "organizationName">): Mail {
  const name = quoted(organizationName);
  return {
    to: invitation.email,
    subject: `Invitation to ${name}`,
    text: [
      `You are invited to an organization as ${invitation.role}. Its members call it:`,
      "",
      `  ${name}`,
      "",
      "Sign in and accept with this token:",
      "",
      `  ${token}`,
      "",
      `It is good until ${invitation.expiresAt.toISOString()}, once, and for this address only.`,
      "If you did not expect this, do nothing.",
      "",
    ].join("\n"),
  };
}

/** A name as it is quoted: on one line, whatever is stored. */
function quoted(name: string): string {
  const characters = [...(nameFrom(name) ?? "")].map((one) => (QUOTATION_MARKS.has(one) ? "'" : one));
  const shown = characters.length > MAX_SHOWN ? [...characters.slice(0, MAX_SHOWN), "…"] : characters;
  return `"${shown.join("")}"`;
}

const QUOTATION_MARKS = new Set(['"', "“", "”", "„", "‟", "«", "»", "″", "＂"]);
