/** Which user a token's issuer and subject are. */
import type { Client } from "#engine/auth/sign-in";
import type { Actor } from "#engine/auth/actor";
import { authorizeOperator } from "#engine/auth/policy";
import type { VerifiedToken } from "#engine/auth/oidc";
import { invalidInput, TenantryError } from "#base/kernel/errors";
import { newId } from "#base/kernel/ids";
import { isEmail, nameFrom } from "#base/kernel/validation";
import type { HomeDatabase, Queryable } from "#base/postgres/database";
import { SQL_STATE, sqlState } from "#base/postgres/sql-state";

const MAX_ISSUER_LENGTH = 500;
const MAX_SUBJECT_LENGTH = 255;

/** What a user is called whose token says no name. Not the address: a name is shown to people who may not see that. */
const NO_NAME = "New user";

/**
 * The user of a valid token, by issuer and subject. One seen for the first time is linked to the user with the token's proved
 * address, if nobody has signed in as that user yet; else, with `createUsers`, a user is made of the token's name and proved
 * address. Each is an entry in the audit log. UNAUTHENTICATED when there is nobody.
 *
 * An address that is not proved counts as none: it leads to no user, it keeps no other person from the address, and it accepts
 * no invitation. So a user made of such a token gets an address that is nobody's, until a later token proves one. Without
 * `provesAddress` the issuer's word proves none: whoever runs it could take over a user whom an operator has made.
 */
export async function findTokenUser(
  { home }: { home: HomeDatabase },
  token: VerifiedToken,
  options: { createUsers: boolean; provesAddress: boolean; client: Client | undefined },
): Promise<string> {
  const { createUsers, client } = options;
  const address = options.provesAddress ? provedAddressOf(token) : undefined;
  const known = await findIdentity(home, token);
  if (known !== undefined) {
    if (known.hasNoAddress && address !== undefined) await takeAddress(home, known.userId, address, client);
    return known.userId;
  }
  if (address !== undefined) {
    const linked = await linkByAddress(home, token, address, client);
    if (linked !== undefined) return linked;
  }
  const { email, name } = token.claims;
  if (!createUsers || typeof email !== "string") throw nobody();
  return createTokenUser(home, token, { name: nameFrom(name) ?? NO_NAME, email: address }, client);
}

/**
 * The token's address, when the provider says that it is the subject's and it has the form that addresses have here: one in
 * other characters than ASCII could be taken for another person's.
 */
function provedAddressOf({ claims: { email, email_verified: isVerified } }: VerifiedToken): string | undefined {
  // Some providers write it as a text.
  return (isVerified === true || isVerified === "true") && typeof email === "string" && isEmail(email)
    ? email
    : undefined;
}

/** The address of a user without one. No mail server and nobody's input has such a domain (RFC 2606). */
function noAddress(userId: string): string {
  return `no-address-${userId}@invalid`;
}

async function findIdentity(
  home: Queryable<"home">,
  { issuer, subject }: Pick<VerifiedToken, "issuer" | "subject">,
): Promise<{ userId: string; hasNoAddress: boolean } | undefined> {
  const [row] = await home.query<{ userId: string; email: string }>(
    "identities.find",
    `select u.id as "userId", u.email from tenantry.identities i join tenantry.users u on u.id = i.user_id
     where i.issuer = $1 and i.subject = $2`,
    [issuer, subject],
  );
  return row && { userId: row.userId, hasNoAddress: row.email === noAddress(row.userId) };
}

/** Gives a user without an address the one that the token proves, unless it is another user's. */
async function takeAddress(
  home: HomeDatabase,
  userId: string,
  address: string,
  client: Client | undefined,
): Promise<void> {
  try {
    await home.query(
      "identities.take_address",
      `with signed_in as (
         update tenantry.users u set email = $2
         where u.id = $1 and u.email = $3 and u.erased_at is null and not exists (
           select from tenantry.users o where tenantry.address_key(o.email) = tenantry.address_key($2))
         returning u.id as user_id
       ), ${entryPart(4)}
       select from signed_in`,
      [userId, address, noAddress(userId), ...entryValues("updateUser", client)],
    );
  } catch (error) {
    // Somebody else has got it at this moment. Who signs in is known all the same.
    if (sqlState(error) !== SQL_STATE.uniqueViolation) throw error;
  }
}

/** The part of a statement that writes the entry of what its part `signed_in` adds; parameters from `$first` on. */
function entryPart(first: number): string {
  return `logged as (
    insert into tenantry.audit_log
      (id, action, address, user_agent, who, who_id, via, subject_kind, subject_id, outcome)
    select $${first}::uuid, $${first + 1}, $${first + 2}::inet, $${first + 3}, 'USER', user_id, 'TOKEN', 'USER', user_id, 'OK'
    from signed_in
  )`;
}

const entryValues = (action: string, client: Client | undefined) => [
  newId(),
  action,
  client?.address ?? null,
  client?.userAgent ?? null,
];

/**
 * An address changes hands, so even a proved one says nothing about a user whom somebody has signed in as: only one whom an
 * operator has made and nobody uses yet is taken over.
 */
async function linkByAddress(
  home: HomeDatabase,
  { issuer, subject }: VerifiedToken,
  email: string,
  client: Client | undefined,
): Promise<string | undefined> {
  const row = await home.transaction(async (transaction) => {
    // Two subjects who show one address at the same moment: the second one finds that the user is somebody's.
    const prepared = await transaction.query(
      "identities.lock_by_address",
      `select from tenantry.users u where tenantry.address_key(u.email) = tenantry.address_key($1)
         and not exists (select from tenantry.identities i where i.user_id = u.id) for no key update`,
      [email],
    );
    if (prepared.length === 0) return undefined;
    const [linked] = await transaction.query<{ userId: string }>(
      "identities.link_by_address",
      `with signed_in as (
         insert into tenantry.identities (issuer, subject, user_id)
         select $1, $2, u.id from tenantry.users u
         where tenantry.address_key(u.email) = tenantry.address_key($3) and u.erased_at is null
           and not exists (select from tenantry.identities i where i.user_id = u.id)
         on conflict do nothing
         returning user_id
       ), ${entryPart(4)}
       select user_id as "userId" from signed_in`,
      [issuer, subject, email, ...entryValues("linkIdentity", client)],
    );
    return linked;
  });
  return row?.userId ?? (await findIdentity(home, { issuer, subject }))?.userId;
}

async function createTokenUser(
  home: HomeDatabase,
  token: VerifiedToken,
  person: { name: string; email: string | undefined },
  client: Client | undefined,
): Promise<string> {
  const id = newId();
  try {
    const [row] = await home.query<{ userId: string }>(
      "identities.create_user",
      `with person as (
         insert into tenantry.users (id, name, email) values ($3, $4, $5) returning id
       ), signed_in as (
         insert into tenantry.identities (issuer, subject, user_id) select $1, $2, id from person returning user_id
       ), ${entryPart(6)}
       select user_id as "userId" from signed_in`,
      [
        token.issuer,
        token.subject,
        id,
        person.name,
        person.email ?? noAddress(id),
        ...entryValues("createUser", client),
      ],
    );
    if (row === undefined) throw new Error("the insert returned no row");
    return row.userId;
  } catch (error) {
    if (sqlState(error) !== SQL_STATE.uniqueViolation) throw error;
    // Made by another request a moment ago; or the address is another user's, which is not the caller's to be told.
    const known = await findIdentity(home, token);
    if (known !== undefined) return known.userId;
    throw nobody();
  }
}

/** Says who an issuer's subject is, for tokens without a verified address. For the operator. */
export async function linkIdentity(
  { home }: { home: HomeDatabase },
  actor: Actor,
  input: { userId: string; issuer: string; subject: string },
): Promise<void> {
  authorizeOperator(actor);
  const { userId, issuer, subject } = input;
  if (issuer === "" || issuer.length > MAX_ISSUER_LENGTH)
    throw invalidInput("issuer", "issuer must be an issuer's URL.");
  if (subject === "" || subject.length > MAX_SUBJECT_LENGTH || subject.includes("\0"))
    throw invalidInput("subject", `subject must have 1 to ${MAX_SUBJECT_LENGTH} characters.`);
  const found = await home.query("users.not_erased", "select from tenantry.users where id = $1 and erased_at is null", [
    userId,
  ]);
  if (found.length === 0) throw invalidInput("userId", "There is no user with this id.");
  await home.query(
    "identities.link",
    `insert into tenantry.identities (issuer, subject, user_id) values ($1, $2, $3)
     on conflict (issuer, subject) do update set user_id = excluded.user_id`,
    [issuer, subject, userId],
  );
}

/** Said only to who holds a valid token of the provider, so it helps nobody to guess. */
function nobody(): TenantryError {
  return new TenantryError(
    "UNAUTHENTICATED",
    "Your identity provider knows you, but you are no user here yet: ask the operator to add you.",
  );
}
