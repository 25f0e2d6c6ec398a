import type { Actor } from "#engine/auth/actor";
import type { Role } from "#engine/auth/policy";
import { invitationLetter } from "#engine/people/invitation-letter";
import { createInvitation, type Invitation, undoInvitation } from "#engine/people/invitations";
import { TenantryError } from "#base/kernel/errors";
import type { Services } from "#engine/services";

/**
 * Invites an address to an organization. `sendMail`: a letter brings the token there. When the mail server does not take it, the
 * invitation is taken back, so that nothing is open that nobody can accept: MAIL_UNAVAILABLE. CAPABILITY_MISSING where there is
 * no mail server. Without `sendMail` the token is returned, for a letter of the caller's own. Other errors as createInvitation.
 */
export async function inviteMember(
  services: Pick<Services, "home" | "letters" | "logger" | "mailer">,
  actor: Actor,
  {
    sendMail,
    ...input
  }: { organizationId: string; email: string; role: Role; expiresInDays: number; sendMail: boolean },
): Promise<Invitation & { token: string | null }> {
  const { home, mailer, letters, logger } = services;
  const requireMail = sendMail ? mailer.requireUsable : () => undefined;
  const made = await createInvitation({ home, requireMail }, actor, input);
  if (!sendMail) return { ...made.invitation, token: made.token };
  try {
    await mailer.send(invitationLetter(made, letters));
  } catch (error) {
    await undoInvitation(services, made);
    logger.warn({ err: error }, "an invitation could not be sent");
    throw new TenantryError(
      "MAIL_UNAVAILABLE",
      "The invitation could not be sent: the mail server did not take it. Try again later.",
      { cause: error },
    );
  }
  return { ...made.invitation, token: null };
}
