import { z } from "zod";
import { isLoopback } from "#base/kernel/loopback";
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
    invitationUrl: variable("TENANTRY_INVITATION_URL", z.string().min(1).optional(), {
      meaning:
        "The page of yours where invited people accept, with `{token}` in it. Put it behind `#`: what stands there reaches no server and no log. [Invitations](../how-to/invitations.md) shows such a page.",
      otherwise: "the letter has the token itself",
      example: "https://app.example.com/invitation#token={token}",
    }),
  },
};

/** Stands for the token where the URL is checked: as long, and of the same letters. */
const SAMPLE_TOKEN = "t".repeat(43);

/** The page for invited people. INVALID_INPUT unless it is a URL of the web with one `{token}` behind the host's name. */
export function invitationUrlSetting({
  invitationUrl,
}: Pick<ValuesOf<typeof MAIL>, "invitationUrl">): string | undefined {
  if (invitationUrl === undefined) return undefined;
  const [before = "", after, more] = invitationUrl.split("{token}");
  if (after === undefined || more !== undefined)
    throw refused(
      "TENANTRY_INVITATION_URL must have {token} in it, once: https://app.example.com/invitation#token={token}.",
    );
  const filled = `${before}${SAMPLE_TOKEN}${after}`;
  const url = URL.canParse(filled) ? new URL(filled) : undefined;
  const isWeb = url?.protocol === "https:" || (url?.protocol === "http:" && isLoopback(url.hostname));
  if (url === undefined || !isWeb || /[\s<>"]/.test(filled))
    throw refused(
      "TENANTRY_INVITATION_URL must be a URL such as https://app.example.com/invitation#token={token}; http only on loopback.",
    );
  if (url.username !== "" || !`${url.pathname}${url.search}${url.hash}`.includes(SAMPLE_TOKEN))
    throw refused("TENANTRY_INVITATION_URL must have {token} behind the host's name, and no user name.");
  return invitationUrl;
}

/** The mail server for invitations, and the sender; undefined: there is none. */
export function mailSettings({ smtpUrl, from }: ValuesOf<typeof MAIL>): { smtpUrl: string; from: string } | undefined {
  if (smtpUrl === undefined && from === undefined) return undefined;
  if (smtpUrl === undefined || from === undefined)
    throw refused("TENANTRY_SMTP_URL and TENANTRY_MAIL_FROM must both be set, or neither.");
  return { smtpUrl, from };
}
