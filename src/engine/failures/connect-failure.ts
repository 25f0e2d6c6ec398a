/** Why a server cannot be connected to, in words that cannot hold a secret. */
import { redactedMessage } from "#base/kernel/redaction";
import type { ServerAddress } from "#base/postgres/connection-url";
import { isConnectionFailure, isTlsFailure, SQL_STATE, sqlState } from "#base/postgres/sql-state";
import { refusalOf } from "#engine/failures/refusals";

/** By Node's codes, for what happens before a server has said anything. */
const WORDS: Record<string, string> = {
  ECONNREFUSED: "nothing listens there",
  ENOTFOUND: "there is no such host",
  EAI_AGAIN: "the host name could not be looked up",
  ETIMEDOUT: "it does not answer",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another host name",
  CERT_HAS_EXPIRED: "its certificate has expired",
  CERT_REVOKED: "its certificate was revoked",
  CERT_NOT_YET_VALID: "its certificate is not valid yet",
};

/** What Node says of a certificate that nobody trusted has signed. */
const UNTRUSTED = /^(UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_(SIGNATURE|UNTRUSTED|REJECTED|CHAIN)|INVALID_CA)/;

/** The reason as the end of a sentence: a code or a fixed phrase. Undefined when the error is no failure to connect. */
export function explainConnectFailure(error: unknown): string | undefined {
  const reason = connectReason(error);
  if (reason !== undefined) return reason;
  if (sqlState(error) === undefined) return undefined;
  // A pooler refuses the settings that we send with a new connection. A server takes them.
  if (codeOf(error) === "08P01")
    return "a connection pooler seems to answer there, so give the address of the server itself";
  if (isKeptOut(error)) return "its pg_hba.conf lets nobody in from here in this way; check sslmode";
  const says = refusalOf(error)?.says;
  return says === undefined ? `error ${codeOf(error)}` : `it ${says}`;
}

/** The same for what failed before the server had said anything; undefined where it has. */
export function connectReason(error: unknown): string | undefined {
  const code = codeOf(error);
  if (WORDS[code] !== undefined) return WORDS[code];
  if (sqlState(error) !== undefined) return undefined;
  if (UNTRUSTED.test(code)) return "its certificate is not signed by an authority that sslrootcert names";
  if (error instanceof Error && /does not support SSL/.test(error.message)) return "it does not take TLS connections";
  if (isTlsFailure(error)) return "the TLS connection failed; check sslmode and sslrootcert";
  if (error instanceof Error && /timeout/i.test(error.message)) return "it does not answer";
  if (!isConnectionFailure(error)) return undefined;
  return code === "" ? "the connection was lost" : `error ${code}`;
}

/** Whether the server takes nobody who comes from here so, whatever the password; where it speaks English. */
export function isKeptOut(error: unknown): boolean {
  return (
    codeOf(error) === SQL_STATE.invalidAuthorization && error instanceof Error && /pg_hba\.conf/.test(error.message)
  );
}

/** What may be why, where the URL asks for something that a server before 17 hangs up on. Follows a reason. */
export function negotiationHint(error: unknown, { parameters }: Pick<ServerAddress, "parameters">): string {
  if (parameters.get("sslnegotiation") !== "direct" || sqlState(error) !== undefined) return "";
  return "; sslnegotiation=direct takes PostgreSQL 17 or newer";
}

const MAX_QUOTED_LENGTH = 300;

/** What PostgreSQL said, to stand behind our own sentence. A region's server can say anything: one line of so many characters. */
export function quoteServer(error: unknown): string {
  const line = redactedMessage(error).replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, " ");
  return `PostgreSQL says: ${[...line].slice(0, MAX_QUOTED_LENGTH).join("").replace(/\.?$/, ".")}`;
}

function codeOf(error: unknown): string {
  return typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
}
