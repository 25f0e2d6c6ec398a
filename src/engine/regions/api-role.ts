/**
 * The role that the API signs in with on a server, in place of the operator's: it owns nothing, and sees what row-level
 * security lets it. One per installation and server; its password is made of a secret at home and the server's identity, so
 * that no server's administrator learns another's.
 */
import { createHmac } from "node:crypto";
import { TenantryError } from "#base/kernel/errors";
import type { SecretBox } from "#base/kernel/secret-box";
import type { ServerAddress } from "#base/postgres/connection-url";
import type { Database, DatabaseKind, HomeDatabase, Queryable } from "#base/postgres/database";
import { quoteIdentifier, quoteLiteral } from "#base/postgres/identifiers";
import type { Pools } from "#base/postgres/pools";
import { LOCK_CLASS } from "#base/postgres/session-lock";
import { scramVerifier } from "#base/postgres/scram";
import { SQL_STATE, sqlState } from "#base/postgres/sql-state";
import { loadInstallationSecret } from "#engine/home/installation-secret";
import { inPrivate } from "#base/postgres/statement-privacy";
import { asAssignment, MAY_SET, PINNED, PINNED_WHERE_ALLOWED } from "#base/postgres/pinned-settings";
import { isKeptOut, quoteServer } from "#engine/failures/connect-failure";

/** What the secret is sealed for. */
export const API_SECRET = "api-secret";

/** How long one that changes the role waits for another. */
const ROLE_LOCK_TIMEOUT = "10s";
/** Waits for another process that makes the role. */
const ROLE_TIMEOUT_MS = 30_000;

/** The role's name and how its passwords are made. */
export class ApiRole {
  readonly name: string;
  /** Servers where it was seen to be able to sign in, by this process. */
  readonly seenOn = new Set<string>();
  readonly #secret: Buffer;

  constructor(name: string, secret: Buffer) {
    this.name = name;
    this.#secret = secret;
  }

  /** The same server, signed in to as the API. */
  on(address: ServerAddress, systemIdentifier: string): ServerAddress {
    const password = createHmac("sha256", this.#secret).update(systemIdentifier).digest("base64url");
    return { ...address, user: this.name, password };
  }
}

/** Reads what the role's passwords are made of from home, where it is made once. */
export async function loadApiRole(home: HomeDatabase, secrets: SecretBox, name: string): Promise<ApiRole> {
  return new ApiRole(name, await loadInstallationSecret(home, secrets, "api_secret", API_SECRET));
}

/** A server as the operator signs in to it. */
export type AdministeredServer = {
  server: Database<DatabaseKind>;
  address: ServerAddress;
  systemIdentifier: string;
  /** One that the API may try to sign in to. */
  database: string;
};

/** {@link ensureApiRole} whatever was seen of the server before: somebody has changed it, or may have. */
export function ensureApiRoleAnew(
  pools: Pools,
  role: ApiRole,
  at: AdministeredServer,
): Promise<TenantryError | undefined> {
  role.seenOn.delete(at.systemIdentifier);
  return ensureApiRole(pools, role, at);
}

/**
 * Sees to it, once per process and server, that the API can sign in there: makes the role, or gives it its password, when it
 * cannot yet, and the settings that its sessions rely on. CAPABILITY_MISSING when the operator's role there may not do that.
 * Returns why the role is kept out of the database all the same, which is for `pg_hba.conf` to say; undefined: it is let in.
 * `isMissing`: the server has said that there is no such role. `tried`: what {@link beginToTry} gave.
 */
export async function ensureApiRole(
  pools: Pools,
  role: ApiRole,
  at: AdministeredServer,
  { isMissing = false, tried }: { isMissing?: boolean; tried?: Promise<unknown> | undefined } = {},
): Promise<TenantryError | undefined> {
  if (role.seenOn.has(at.systemIdentifier)) return undefined;
  const api = role.on(at.address, at.systemIdentifier);
  let refusal = isMissing ? "not asked" : await (tried ?? whyKeptOut(pools, api, at.database));
  if (refusal === undefined) await at.server.query("api_role.keep", keepingRole(role));
  else {
    await giveRole(role, api, at);
    refusal = await whyKeptOut(pools, api, at.database);
  }
  if (refusal !== undefined) return describeKeptOut(api, refusal);
  role.seenOn.add(at.systemIdentifier);
  return undefined;
}

/** Begins to sign in ahead, where {@link ensureApiRole} will want to know whether that goes. */
export function beginToTry(
  pools: Pools,
  role: ApiRole,
  at: Pick<AdministeredServer, "address" | "systemIdentifier" | "database">,
): Promise<unknown> | undefined {
  if (role.seenOn.has(at.systemIdentifier)) return undefined;
  const tried = whyKeptOut(pools, role.on(at.address, at.systemIdentifier), at.database);
  // Whoever waits for it hears of it.
  tried.catch(() => undefined);
  return tried;
}

/** Signs in as the API now. Returns why it is kept out of the database; undefined: it is let in. */
export async function trySigningInAsApi(
  pools: Pools,
  role: ApiRole,
  at: Pick<AdministeredServer, "address" | "systemIdentifier" | "database">,
): Promise<TenantryError | undefined> {
  const api = role.on(at.address, at.systemIdentifier);
  const refusal = await whyKeptOut(pools, api, at.database);
  return refusal === undefined ? undefined : describeKeptOut(api, refusal);
}

function describeKeptOut({ host, port, user }: ServerAddress, refusal: unknown): TenantryError {
  const what = isKeptOut(refusal)
    ? "Let it in from where Tenantry runs, in pg_hba.conf, as the role that you gave is."
    : "Let it log in with its password.";
  return new TenantryError(
    "CAPABILITY_MISSING",
    `The role ${user}, which the API signs in with, is kept out of the server at ${host}:${port}. ${what} ${quoteServer(refusal)}`,
    { cause: refusal },
  );
}

/** Takes the role away from a server on which nothing of the installation is left. */
export async function dropApiRole(
  role: ApiRole,
  server: Queryable<DatabaseKind>,
  systemIdentifier: string,
): Promise<void> {
  role.seenOn.delete(systemIdentifier);
  await server.query("api_role.drop", `drop role if exists ${quoteIdentifier(role.name)}`);
}

/**
 * From here to the transaction's end nobody else changes the role on the server, whichever database they are in: two at once would
 * change the same rows, which PostgreSQL refuses the second one. As marks are locked (engine/regions/mark.ts), by the name of a role
 * that is never left. Whoever may make no role can only be kept from others in the same database.
 */
function lockRole(name: string): string {
  const lock = quoteIdentifier(`${name}_lock`);
  return `begin
       set local lock_timeout = '${ROLE_LOCK_TIMEOUT}';
       create role ${lock}; drop role ${lock};
     exception when insufficient_privilege then perform pg_advisory_xact_lock(${LOCK_CLASS.apiRole});
     end;`;
}

async function giveRole(role: ApiRole, api: ServerAddress, at: AdministeredServer): Promise<void> {
  const name = quoteIdentifier(role.name);
  // A verifier, not the password: not every role may keep a statement out of the log.
  const password = quoteLiteral(scramVerifier(api.password ?? ""));
  try {
    await inPrivate(at.server, ROLE_TIMEOUT_MS, (session) =>
      session.runSecret(
        "api_role.ensure",
        // The lock is outside of the block that catches: it would end with what is caught.
        `do $role$ begin
           ${lockRole(role.name)}
           begin
             create role ${name} login password ${password};
           exception when duplicate_object or unique_violation then
             alter role ${name} login password ${password};
           end;
         end $role$`,
        { before: "begin", after: keepingRole(role), end: "commit" },
      ),
    );
  } catch (error) {
    if (sqlState(error) !== SQL_STATE.insufficientPrivilege) throw error;
    throw new TenantryError(
      "CAPABILITY_MISSING",
      `The role ${at.address.user} may not make or change the role ${role.name}, which the API signs in with. As a superuser run: ALTER ROLE ${at.address.user} CREATEROLE;`,
      { cause: error },
    );
  }
}

/**
 * What a role needs that is there, in one statement.
 *
 * Who is no superuser may end another role's sessions only as a member of it, and a database that is revoked has sessions of
 * the API. Whoever made the role may do this; where somebody else did, revoking says what is missing.
 *
 * The role gets the settings of our sessions as its own. A pooler's connections have no others, and `alter database` and the
 * server's file are outranked by these. A role that somebody else made is left as it is: direct connections pin theirs too.
 */
function keepingRole({ name }: ApiRole): string {
  const quoted = quoteIdentifier(name);
  const isUnpinned = ROLE_PINS.map(isDue).join(" or ").replaceAll("$role", quoted);
  return `do $keep$
   declare
     due boolean;
   begin
     begin
       if not pg_has_role(current_user, ${quoteLiteral(name)}, 'usage') then
         ${lockRole(name)}
         grant ${quoteIdentifier(name)} to current_user;
       end if;
     exception when insufficient_privilege then null;
     end;
     select ${isUnpinned} into due;
     if due then
       ${lockRole(name)}
       ${PIN_ROLE.replaceAll("$role", quoted)}
     end if;
   end $keep$`;
}

/** What the role is to have: the setting, its value, and in SQL whether whoever asks may set it there. */
const ROLE_PINS = [
  ...Object.entries(PINNED).map(([setting, value]) => ({ setting, value, condition: "true" })),
  ...Object.entries(PINNED_WHERE_ALLOWED).map(([setting, value]) => ({
    setting,
    value,
    condition: `exists (select from pg_settings s where s.name = ${quoteLiteral(setting)} and ${MAY_SET})`,
  })),
];

type RolePin = (typeof ROLE_PINS)[number];

const isDue = ({ setting, value, condition }: RolePin): string =>
  `(${condition} and not exists (select from pg_db_role_setting where setdatabase = 0 and setrole = '$role'::regrole
      and ${quoteLiteral(`${setting}=${value}`)} = any(setconfig)))`;

/** Writes only what is not as it should be. */
const PIN_ROLE = ROLE_PINS.map(
  (pin) => `begin
    if ${isDue(pin)} then
      alter role $role set ${asAssignment(pin.setting, pin.value)};
    end if;
  -- Whoever may make no role has no lock on the whole server: another one may be first.
  exception when insufficient_privilege or unique_violation or internal_error then null;
  end;`,
).join("\n");

/** What the server said when it refused to let the role in; undefined when it let it in. */
async function whyKeptOut(pools: Pools, address: ServerAddress, database: string): Promise<unknown> {
  try {
    await pools.once(address, database, (connection) => connection.query("api_role.try", "select"), {
      forCallers: true,
    });
    return undefined;
  } catch (error) {
    const state = sqlState(error);
    if (state === SQL_STATE.invalidPassword || state === SQL_STATE.invalidAuthorization) return error;
    // Signed in, and kept out of this database only.
    if (state === SQL_STATE.insufficientPrivilege) return undefined;
    throw error;
  }
}
