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
import { scramVerifier } from "#base/postgres/scram";
import { SQL_STATE, sqlState } from "#base/postgres/sql-state";
import { loadInstallationSecret } from "#engine/home/installation-secret";
import { inPrivate } from "#base/postgres/statement-privacy";

/** What the secret is sealed for. */
export const API_SECRET = "api-secret";

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

/**
 * Sees to it, once per process and server, that the API can sign in there: makes the role, or gives it its password, when it
 * cannot yet. CAPABILITY_MISSING when the operator's role there may not do that.
 */
export async function ensureApiRole(pools: Pools, role: ApiRole, at: AdministeredServer): Promise<void> {
  if (role.seenOn.has(at.systemIdentifier)) return;
  const api = role.on(at.address, at.systemIdentifier);
  if (!(await canSignIn(pools, api, at.database))) await giveRole(role, api, at);
  await joinRole(role, at);
  role.seenOn.add(at.systemIdentifier);
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

async function giveRole(role: ApiRole, api: ServerAddress, at: AdministeredServer): Promise<void> {
  const name = quoteIdentifier(role.name);
  // A verifier, not the password: not every role may keep a statement out of the log.
  const password = quoteLiteral(scramVerifier(api.password ?? ""));
  try {
    await inPrivate(at.server, ROLE_TIMEOUT_MS, (session) =>
      session.runSecret(
        "api_role.ensure",
        `do $role$ begin
           create role ${name} login password ${password};
         exception when duplicate_object or unique_violation then
           alter role ${name} login password ${password};
         end $role$`,
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
 * Who is no superuser may end another role's sessions only as a member of it, and a database that is revoked has sessions of
 * the API. Whoever made the role may do this; where somebody else did, revoking says what is missing.
 */
async function joinRole({ name }: ApiRole, { server }: AdministeredServer): Promise<void> {
  await server.query(
    "api_role.join",
    `do $$ begin
       if not pg_has_role(current_user, ${quoteLiteral(name)}, 'usage') then
         grant ${quoteIdentifier(name)} to current_user;
       end if;
     exception when insufficient_privilege then null;
     end $$`,
  );
}

async function canSignIn(pools: Pools, address: ServerAddress, database: string): Promise<boolean> {
  try {
    await pools.once(address, database, (connection) => connection.query("api_role.try", "select"));
    return true;
  } catch (error) {
    const state = sqlState(error);
    if (state === SQL_STATE.invalidPassword || state === SQL_STATE.invalidAuthorization) return false;
    // Signed in, and kept out of this database only.
    if (state === SQL_STATE.insufficientPrivilege) return true;
    throw error;
  }
}
