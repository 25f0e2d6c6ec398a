import { randomBytes } from "node:crypto";
import type { SecretBox } from "#base/kernel/secret-box";
import type { HomeDatabase } from "#base/postgres/database";

const SECRET_BYTES = 32;

/**
 * Reads a secret of the installation from home, where it is made once and kept encrypted. `sealedFor` is what it is sealed for.
 * Two processes that start at once get the same one.
 */
export async function loadInstallationSecret(
  home: HomeDatabase,
  secrets: SecretBox,
  column: "api_secret" | "border_secret",
  sealedFor: string,
): Promise<Buffer> {
  const fresh = secrets.seal(randomBytes(SECRET_BYTES).toString("base64"), sealedFor);
  const [row] = await home.query<{ sealed: Buffer }>(
    `installation.${column}`,
    `with made as (
       update tenantry.installation set ${column} = $1 where ${column} is null returning ${column}
     )
     select ${column} as sealed from made
     union all select ${column} from tenantry.installation where ${column} is not null`,
    [fresh],
  );
  if (row === undefined) return loadInstallationSecret(home, secrets, column, sealedFor);
  return Buffer.from(secrets.open(row.sealed, sealedFor), "base64");
}
