/**
 * How many mails leave. A caller that may invite has the platform's mail server write to any address, so mails are bounded
 * by sender, by organization and by address. They are counted at home: all processes share one bound, and a restart does not
 * lift it.
 */
import { createHash } from "node:crypto";
import type { Actor } from "#engine/auth/actor";
import { TenantryError } from "#base/kernel/errors";
import { newId } from "#base/kernel/ids";
import type { Queryable } from "#base/postgres/database";
import { LOCK_CLASS } from "#base/postgres/session-lock";

/**
 * Mails in 24 hours. One sender reaches one address three times: a lost mail can be sent again, and nobody is pestered.
 * All senders together reach it ten times. That is more than one sender may, so that one sender cannot keep the others from
 * inviting the address. A sender's fifty are a department, invited by hand. An organization's two hundred are as many
 * invitations as it may have open.
 */
export const MAILS_A_DAY = {
  senderToAddress: 3,
  address: 10,
  sender: 50,
  organization: 200,
} as const;
type Bound = keyof typeof MAILS_A_DAY;

const SENTENCES: Record<Bound, string> = {
  senderToAddress: "You have sent this address enough invitations for a day",
  address: "This address was sent enough invitations for a day",
  sender: "You have sent enough invitations for a day",
  organization: "The organization has sent enough invitations for a day",
};

/** Rows too old to count that one mail takes along. More than one, so that they do not pile up. */
const PRUNED_AT_ONCE = 100;

/**
 * Counts a mail that is about to be sent, and returns its id. LIMIT_EXCEEDED, saying when there is room, when it is one too
 * many. The caller has locked the organization in this transaction, and waits for nothing else afterwards: other mails of the
 * sender and to the address wait until the transaction ends.
 */
export async function countMail(
  transaction: Queryable<"home">,
  actor: Actor,
  { organizationId, email }: { organizationId: string; email: string },
): Promise<string> {
  const sender = await senderOf(transaction, actor);
  // As tenantry.address_key has it; the address is ASCII.
  const key = email.toLowerCase();
  const address = createHash("sha256").update(key).digest();
  // Always the sender first, so that two mails cannot wait for each other.
  await transaction.query(
    "mails.lock",
    "select pg_advisory_xact_lock($1, hashtext(name)) from unnest($2::text[]) name",
    [LOCK_CLASS.mails, sender === null ? [`to ${key}`] : [`from ${sender}`, `to ${key}`]],
  );
  await refuseOneTooMany(transaction, { sender, organizationId, address });
  const id = newId();
  await transaction.query(
    "mails.count",
    `with old as (
       delete from tenantry.mails where id in (
         select id from tenantry.mails where sent_at < now() - interval '1 day'
         order by sent_at limit $5 for update skip locked)
     )
     insert into tenantry.mails (id, sender, organization_id, address) values ($1, $2, $3, $4)`,
    [id, sender, organizationId, address, PRUNED_AT_ONCE],
  );
  return id;
}

/**
 * A mail that the mail server did not take reached nobody: it no longer counts against the address. It still counts against
 * the sender, as the mail server was asked.
 */
export async function uncountMailToAddress(home: Queryable<"home">, id: string): Promise<void> {
  await home.query("mails.not_taken", "update tenantry.mails set address = null where id = $1", [id]);
}

/**
 * The sender of a mail. A user also answers for the keys that they made, as they could make many. A key that the operator made
 * answers for itself. Null for the operator.
 */
async function senderOf(home: Queryable<"home">, actor: Actor): Promise<string | null> {
  if (actor.kind !== "key") return actor.kind === "user" ? actor.userId : null;
  const [key] = await home.query<{ createdBy: string }>(
    "mails.key_maker",
    `select created_by as "createdBy" from tenantry.api_keys where id = $1`,
    [actor.keyId],
  );
  return key === undefined || key.createdBy === "operator" ? actor.keyId : key.createdBy;
}

async function refuseOneTooMany(
  transaction: Queryable<"home">,
  { sender, organizationId, address }: { sender: string | null; organizationId: string; address: Buffer },
): Promise<void> {
  // The mail that is as many back as the bound allows: there is room when it is a day old.
  const [full] = await transaction.query<{ bound: Bound; seconds: number }>(
    "mails.full",
    `with day as materialized (
       select sender, organization_id, address, sent_at from tenantry.mails
       where sent_at > clock_timestamp() - interval '1 day'
         and (sender = $1 or organization_id = $2 or address = $3)
     )
     select b.bound, ceil(extract(epoch from l.sent_at + interval '1 day' - clock_timestamp()))::int as seconds
     from unnest($4::text[], $5::int[]) b (bound, most)
     cross join lateral (
       select sent_at from day
       where case b.bound
         when 'senderToAddress' then sender = $1 and address = $3
         when 'address' then address = $3
         when 'sender' then sender = $1
         else organization_id = $2 end
       order by sent_at desc offset b.most - 1 limit 1) l
     order by seconds desc limit 1`,
    [sender, organizationId, address, Object.keys(MAILS_A_DAY), Object.values(MAILS_A_DAY)],
  );
  if (full === undefined) return;
  const retryAfterSeconds = Math.max(1, full.seconds);
  throw new TenantryError(
    "LIMIT_EXCEEDED",
    `${SENTENCES[full.bound]}: try again in ${Math.ceil(retryAfterSeconds / 3_600)} h.`,
    { retryAfterSeconds, limit: "mails" },
  );
}
