import { z } from "zod";
import { refused, type ValuesOf, variable } from "#config/variable";

export const MAIL = {
  title: "Mail",
  about:
    "Invitations are mails. Without a mail server they go to the log in development, and inviting is\nrefused where callers sign in. Set both variables or neither.",
  fields: {
    smtpUrl: variable("TENANTRY_SMTP_URL", z.string().min(1).optional(), {
      meaning: "The mail server.",
      example: "smtps://user:password@mail.example.com:465",
      isSecret: true,
    }),
    from: variable("TENANTRY_MAIL_FROM", z.string().min(3).optional(), {
      meaning: "The sender of the mails.",
      example: "Tenantry <no-reply@example.com>",
    }),
  },
};

/** The mail server for invitations, and the sender; undefined: there is none. */
export function mailSettings({ smtpUrl, from }: ValuesOf<typeof MAIL>): { smtpUrl: string; from: string } | undefined {
  if (smtpUrl === undefined && from === undefined) return undefined;
  if (smtpUrl === undefined || from === undefined)
    throw refused("TENANTRY_SMTP_URL and TENANTRY_MAIL_FROM must both be set, or neither.");
  return { smtpUrl, from };
}
