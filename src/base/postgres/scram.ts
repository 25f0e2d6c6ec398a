/** What a server keeps of a SCRAM-SHA-256 password (RFC 5802, RFC 7677), so that the password itself is never sent to it. */
import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";

const SALT_BYTES = 16;

/**
 * For `ALTER ROLE … PASSWORD`: a statement with it may be logged without giving the password away. `password` must be random
 * and of plain ASCII: then one round does, as there is nothing to guess, and each round is paid for at every connection.
 */
export function scramVerifier(password: string, rounds = 1): string {
  const salt = randomBytes(SALT_BYTES);
  const salted = pbkdf2Sync(password, salt, rounds, 32, "sha256");
  const sign = (text: string) => createHmac("sha256", salted).update(text).digest();
  const storedKey = createHash("sha256").update(sign("Client Key")).digest("base64");
  return `SCRAM-SHA-256$${rounds}:${salt.toString("base64")}$${storedKey}:${sign("Server Key").toString("base64")}`;
}
