import { type Actor, OPERATOR } from "#auth/actor";
import type { Role } from "#auth/policy";
import { createInvitation, type Invitation, type NewInvitation, revokeInvitation } from "#directory/invitations";
import { TenantryError } from "#kernel/errors";
import type { Letter } from "#operations/mail";
import type { Services } from "#operations/services";

/**
 * Invites an address to an organization and sends it the token. When the letter cannot be handed over the invitation is taken
 * back, so that nothing is open that nobody can accept. Errors as createInvitation.
 */
export async function inviteMember(
  services: Services,
  actor: Actor,
  input: { organizationId: string; email: string; role: Role; expiresInDays: number },
): Promise<Invitation> {
  const made = await createInvitation(services, actor, input);
  try {
    await services.mailer.send(letterOf(made));
  } catch (error) {
    await revokeInvitation(services, OPERATOR, made.invitation.id);
    services.logger.warn({ err: error }, "an invitation could not be sent");
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

function letterOf({ invitation, token, organizationName }: NewInvitation): Letter {
  return {
    to: invitation.email,
    subject: `Invitation to ${organizationName.replaceAll(/[\r\n]+/g, " ")}`,
    text: [
      `You are invited to ${organizationName} as ${invitation.role}.`,
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
