/** Which user a token's issuer and subject are. */
import { type Client, refuseToken } from "#auth/sign-in";
import type { Actor } from "#auth/actor";
import { authorizeOperator } from "#auth/policy";
import type { VerifiedToken } from "#auth/oidc";
import { invalidInput, TenantryError } from "#kernel/errors";
import { newId } from "#kernel/ids";
import { validEmail, validName } from "#kernel/validation";
import type { HomeDatabase, Queryable } from "#postgres/database";
import { SQL_STATE, sqlState } from "#postgres/sql-state";

const MAX_ISSUER_LENGTH = 500;
const MAX_SUBJECT_LENGTH = 255;

/**
 * The user of a valid token, by issuer and subject. One seen for the first time is linked to the user with the token's
 * verified address, if nobody has signed in as that user yet; else, with `createUsers`, a user is made of the token's
 * name and address. Either is an entry in the audit log. UNAUTHENTICATED when there is nobody.
 */
export async function findTokenUser(
  { home }: { home: HomeDatabase },
  token: VerifiedToken,
  { createUsers, client }: { createUsers: boolean; client: Client | undefined },
): Promise<string> {
  const known = await findIdentity(home, token);
  if (known !== undefined) return known;
  const { email, email_verified: verified, name } = token.claims;
  if (typeof email !== "string") throw nobody();
  if (verified === true) {
    const linked = await linkByAddress(home, token, email, client);
    if (linked !== undefined) return linked;
  }
  if (!createUsers) throw nobody();
  return createTokenUser(home, token, { email, name: typeof name === "string" ? name : email }, client);
}

async function findIdentity(
  home: Queryable<"home">,
  { issuer, subject }: Pick<VerifiedToken, "issuer" | "subject">,
): Promise<string | undefined> {
  const [row] = await home.query<{ userId: string }>(
    "identities.find",
    `select user_id as "userId" from tenantry.identities where issuer = $1 and subject = $2`,
    [issuer, subject],
  );
  return row?.userId;
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
 * Users change their own address without proof, so an address alone proves nothing about a user whom somebody has
 * signed in as: only one made by an operator and not used yet is taken over.
 */
async function linkByAddress(
  home: HomeDatabase,
  { issuer, subject }: VerifiedToken,
  email: string,
  client: Client | undefined,
): Promise<string | undefined> {
  const [row] = await home.query<{ userId: string }>(
    "identities.link_by_address",
    `with signed_in as (
       insert into tenantry.identities (issuer, subject, user_id)
       select $1, $2, u.id from tenantry.users u
       where lower(u.email) = lower($3) and u.erased_at is null
         and not exists (select from tenantry.identities i where i.user_id = u.id)
       on conflict do nothing
       returning user_id
     ), ${entryPart(4)}
     select user_id as "userId" from signed_in`,
    [issuer, subject, email, ...entryValues("linkIdentity", client)],
  );
  return row?.userId ?? findIdentity(home, { issuer, subject });
}

async function createTokenUser(
  home: HomeDatabase,
  token: VerifiedToken,
  person: { name: string; email: string },
  client: Client | undefined,
): Promise<string> {
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
        newId(),
        validName("name", person.name),
        validEmail("email", person.email),
        ...entryValues("createUser", client),
      ],
    );
    if (row === undefined) throw new Error("the insert returned no row");
    return row.userId;
  } catch (error) {
    // A name or an address that no user may have.
    if (error instanceof TenantryError) throw refuseToken(error);
    if (sqlState(error) !== SQL_STATE.uniqueViolation) throw error;
    // Made by another request a moment ago; or the address is another user's, which is not the caller's to be told.
    const known = await findIdentity(home, token);
    if (known !== undefined) return known;
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
