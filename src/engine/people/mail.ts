/** Mails that Tenantry sends: a port, with one implementation for a mail server and one that writes to the log. */
import { createTransport, type TransportOptions } from "nodemailer";
import { invalidInput, TenantryError } from "#base/kernel/errors";
import type { Logger } from "#base/observability/logger";
import type { Metrics } from "#base/observability/metrics";

export type Mail = { to: string; subject: string; text: string; html?: string };

export type Mailer = {
  /** Throws CAPABILITY_MISSING where no mail can be sent, whatever it is. */
  requireUsable: () => void;
  /** Hands a mail over. Throws when that fails: nothing is kept to be sent later. */
  send: (mail: Mail) => Promise<void>;
  close: () => void;
};

const TIMEOUT_MS = 10_000;

/**
 * Sends through a mail server, given by a URL such as `smtps://user:password@mail.example.com:465`. Throws INVALID_INPUT on
 * anything else, without repeating it.
 */
export function smtpMailer(url: string, from: string): Mailer {
  if (!URL.canParse(url) || !/^smtps?:$/.test(new URL(url).protocol))
    throw invalidInput(
      "TENANTRY_SMTP_URL",
      "TENANTRY_SMTP_URL must look like smtps://user:password@mail.example.com:465.",
    );
  const transport = createTransport(url, {
    from,
    connectionTimeout: TIMEOUT_MS,
    greetingTimeout: TIMEOUT_MS,
    socketTimeout: TIMEOUT_MS,
    // A mail is text of ours: nothing is fetched from anywhere for it.
    disableFileAccess: true,
    disableUrlAccess: true,
  } as TransportOptions);
  return {
    requireUsable: () => undefined,
    send: async (mail) => {
      await transport.sendMail(mail);
    },
    close: () => transport.close(),
  };
}

/** Where there is no mail server and the log is not for the eyes of whoever is invited: every mail is refused. */
export function noMailer(): Mailer {
  const requireUsable = () => {
    throw new TenantryError(
      "CAPABILITY_MISSING",
      "No mail can be sent here: no mail server is set up. The operator can set TENANTRY_SMTP_URL; with sendMail: false the token is in the answer.",
    );
  };
  return {
    requireUsable,
    send: async () => requireUsable(),
    close: () => undefined,
  };
}

/** For development, where whoever reads the log is who runs everything: the mail with all that is in it. */
export function logMailer(logger: Logger): Mailer {
  return {
    requireUsable: () => undefined,
    send: async (mail) => {
      // The same as HTML would only make the line long.
      logger.info(
        { mail: { to: mail.to, subject: mail.subject, text: mail.text } },
        "a mail would be sent: set TENANTRY_SMTP_URL to have it sent",
      );
    },
    close: () => undefined,
  };
}

/** The same mailer, with its mails counted. */
export function countMails(mailer: Mailer, metrics: Pick<Metrics, "mailed">): Mailer {
  return {
    ...mailer,
    send: async (mail) => {
      try {
        await mailer.send(mail);
      } catch (error) {
        metrics.mailed("failed");
        throw error;
      }
      metrics.mailed("sent");
    },
  };
}
