/** API keys: made by an operator or an organization's owner, shown once, kept as a hash. */
import { type Actor, OPERATOR, READ_ONLY_OPERATOR, viewerId } from "#engine/auth/actor";
import { isSecretOf, makeApiKey } from "#engine/auth/api-key-format";
import { requireInOrganization } from "#engine/auth/membership";
import { authorizeOperator, rolesThatMay } from "#engine/auth/policy";
import type { Role } from "#engine/auth/roles";
import type { SignedIn } from "#engine/auth/sign-in";
import { invalidInput, notFound, TenantryError } from "#base/kernel/errors";
import { newId } from "#base/kernel/ids";
import { isBetween } from "#base/kernel/page-range";
import { idsOf, type Page, type PageRequest, readingOrder, toPage } from "#base/kernel/page";
import { validName } from "#base/kernel/validation";
import type { HomeDatabase, Queryable } from "#base/postgres/database";

/** What is known of a key. Its secret is not: only a hash of it is kept, which never leaves this file. */
export type ApiKey = {
  id: string;
  name: string;
  /** null: an operator's key. */
  organizationId: string | null;
  /** What it may do in its organization; null for an operator's. */
  role: Role | null;
  /** Whether it is an operator's key that may change nothing. */
  readOnly: boolean;
  /** `operator`, or a user's id. */
  createdBy: string;
  createdAt: Date;
  expiresAt: Date;
  revokedAt: Date | null;
  /** To the minute. */
  lastUsedAt: Date | null;
};

/** Keys that neither expired nor were revoked, per organization and for the operator. */
const MAX_LIVE_KEYS = 100;
const MAX_EXPIRY_DAYS = 365;

const COLUMNS = `k.id, k.name, k.organization_id as "organizationId", k.role, k.read_only as "readOnly",
  k.created_by as "createdBy",
  k.created_at as "createdAt", k.expires_at as "expiresAt", k.revoked_at as "revokedAt", k.last_used_at as "lastUsedAt"`;

/**
 * Makes a key: of an organization, with the role that it has there, or without both an operator's. `secret` is shown
 * this once. `readOnly`: an operator's key that may change nothing. FORBIDDEN for who is no owner, and for keys of organizations: one that leaked must not make others that
 * outlive it. INVALID_INPUT on a bad name, role or time; LIMIT_EXCEEDED when there are too many.
 */
export async function createApiKey(
  { home }: { home: HomeDatabase },
  actor: Actor,
  input: {
    name: string;
    organizationId: string | null;
    role: Role | null;
    readOnly?: boolean;
    expiresInDays: number;
  },
): Promise<{ key: ApiKey; secret: string }> {
  const { organizationId, role, readOnly = false, expiresInDays } = input;
  const name = validName("name", input.name);
  await authorizeKeys(home, actor, organizationId);
  if (actor.kind === "key") throw new TenantryError("FORBIDDEN", "A key of an organization makes no keys.");
  if ((role === null) !== (organizationId === null))
    throw invalidInput("role", "A key of an organization needs a role there, an operator's key has none.");
  if (readOnly && organizationId !== null)
    throw invalidInput(
      "readOnly",
      "readOnly is for an operator's key: for an organization make one with the role VIEWER.",
    );
  if (!Number.isInteger(expiresInDays) || expiresInDays < 1 || expiresInDays > MAX_EXPIRY_DAYS)
    throw invalidInput("expiresInDays", `expiresInDays must be between 1 and ${MAX_EXPIRY_DAYS}.`);
  const id = newId();
  const { text, secretHash } = makeApiKey(id);
  const [key] = await home.query<ApiKey>(
    "api_keys.create",
    `insert into tenantry.api_keys as k (id, name, secret_hash, organization_id, role, created_by, expires_at, read_only)
     select $1, $2, $3, $4::uuid, $5, $6, now() + make_interval(days => $7), $9
     where (select count(*) from tenantry.api_keys o where o.organization_id is not distinct from $4::uuid
              and o.revoked_at is null and o.expires_at > now()) < $8
     returning ${COLUMNS}`,
    [
      id,
      name,
      secretHash,
      organizationId,
      role,
      actor.kind === "user" ? actor.userId : "operator",
      expiresInDays,
      MAX_LIVE_KEYS,
      readOnly,
    ],
  );
  if (key === undefined)
    throw new TenantryError("LIMIT_EXCEEDED", `There are ${MAX_LIVE_KEYS} keys already: revoke those not in use.`);
  return { key, secret: text };
}

/** Revokes a key: it is refused within a second, everywhere. Again is the same. NOT_FOUND for who may not see it. */
export async function revokeApiKey({ home }: { home: HomeDatabase }, actor: Actor, id: string): Promise<ApiKey> {
  const [found] = await home.query<{ organizationId: string | null }>(
    "api_keys.organization",
    `select organization_id as "organizationId" from tenantry.api_keys where id = $1`,
    [id],
  );
  if (found === undefined) throw notFound("API key");
  if (actor.kind !== "operator") {
    // Neither an operator's key nor another organization's is anybody else's to know about.
    if (found.organizationId === null) throw notFound("API key");
    await requireInOrganization(home, actor, found.organizationId, "manage-keys").catch((error: unknown) => {
      throw error instanceof TenantryError && error.code === "NOT_FOUND" ? notFound("API key") : error;
    });
  }
  const [key] = await home.query<ApiKey>(
    "api_keys.revoke",
    `update tenantry.api_keys k set revoked_at = coalesce(revoked_at, now()) where id = $1 returning ${COLUMNS}`,
    [id],
  );
  if (key === undefined) throw notFound("API key");
  return key;
}

/** A page of an organization's keys, or with null of the operator's, by age; also those that are over. */
export async function listApiKeys(
  { home }: { home: HomeDatabase },
  actor: Actor,
  organizationId: string | null,
  page: PageRequest,
): Promise<Page<ApiKey>> {
  await authorizeKeys(home, actor, organizationId);
  const rows = await home.query<ApiKey>(
    "api_keys.list",
    `select ${COLUMNS} from tenantry.api_keys k
     where k.organization_id is not distinct from $1::uuid and ${isBetween("k.id", page, ["$2", "$3"])}
     order by k.id ${readingOrder(page)} limit $4`,
    [organizationId, ...idsOf(page), page.first + 1],
  );
  return toPage(rows, page);
}

/** The keys with these ids that the actor may list, in no particular order. */
export function findApiKeys({ home }: { home: HomeDatabase }, actor: Actor, ids: readonly string[]): Promise<ApiKey[]> {
  return home.query<ApiKey>(
    "api_keys.by_ids",
    `select ${COLUMNS} from tenantry.api_keys k
     where k.id = any($1::uuid[]) and ($2::uuid is null or exists (
       select from tenantry.roles s
       where s.organization_id = k.organization_id and s.holder_id = $2 and s.role = any($3)))`,
    [ids, viewerId(actor), rolesThatMay("manage-keys")],
  );
}

async function authorizeKeys(home: HomeDatabase, actor: Actor, organizationId: string | null): Promise<void> {
  if (organizationId === null) authorizeOperator(actor);
  else await requireInOrganization(home, actor, organizationId, "manage-keys");
}

type Stored = Pick<ApiKey, "organizationId" | "role" | "readOnly" | "expiresAt"> & {
  secretHash: Buffer;
  stale: boolean;
};

/**
 * Whom a key signs in; undefined when there is none, it is over, or the secret is another one. Notes that it was used,
 * once a minute at most, so that reading with a key does not write each time.
 */
export async function findSignedInByKey(
  home: Queryable<"home">,
  { id, secret }: { id: string; secret: string },
): Promise<SignedIn | undefined> {
  const [stored] = await home.query<Stored>(
    "api_keys.sign_in",
    `select secret_hash as "secretHash", organization_id as "organizationId", role, read_only as "readOnly",
            expires_at as "expiresAt",
            (last_used_at is null or last_used_at < now() - interval '1 minute') as stale
     from tenantry.api_keys where id = $1 and revoked_at is null and expires_at > now()`,
    [id],
  );
  if (stored === undefined || !isSecretOf(stored.secretHash, secret)) return undefined;
  if (stored.stale)
    await home.query(
      "api_keys.used",
      // Whoever signs in does not wait for somebody who has the row.
      `update tenantry.api_keys set last_used_at = now()
       where id = (select id from tenantry.api_keys where id = $1 for no key update skip locked)`,
      [id],
    );
  const { organizationId, role, readOnly, expiresAt } = stored;
  const operator = readOnly ? READ_ONLY_OPERATOR : OPERATOR;
  const actor: Actor =
    organizationId === null || role === null ? operator : { kind: "key", keyId: id, organizationId, role };
  return { actor, expiresAt, keyId: id, identity: null, tokenSubject: null };
}
