/**
 * Operations that clients name by the SHA-256 of their text instead of sending it, from a file that is deployed with the
 * server. Named as `extensions.persistedQuery.sha256Hash` or as `documentId`, with or without `sha256:` in front. Nothing
 * is registered by clients: a hash that the file lacks is unknown.
 */
import { createHash } from "node:crypto";
import { type DocumentNode, type GraphQLSchema, parse, validate } from "graphql";
import { invalidInput, TenantryError } from "#base/kernel/errors";
import { readRegularFile } from "#base/kernel/regular-file";

const MAX_FILE_BYTES = 64_000_000;

/** What a client sends of an operation, over HTTP or a web socket. Nothing of it was checked. */
export type OperationParams = {
  query?: unknown;
  extensions?: unknown;
  documentId?: unknown;
};

export type PersistedOperations = {
  /** The text of the operation that is meant; undefined: what was sent stands. Throws when it may not run. */
  textOf: (params: OperationParams) => string | undefined;
};

/** Without a file: every text runs, and no hash is known. */
export const NO_PERSISTED_OPERATIONS: PersistedOperations = createPersistedOperations(undefined, false);

/** Reads the file and checks that each operation is what its hash says and fits the schema. Throws INVALID_INPUT. */
export function readPersistedOperations(
  { file, only }: { file: string; only: boolean },
  schema: GraphQLSchema,
): PersistedOperations {
  const refuse = (what: string, cause?: unknown) =>
    new TenantryError("INVALID_INPUT", `TENANTRY_PERSISTED_OPERATIONS: ${what}.`, { cause });
  let content: unknown;
  try {
    content = JSON.parse(readRegularFile(file, MAX_FILE_BYTES));
  } catch (error) {
    throw refuse("the file cannot be read, is not a regular file of at most 64 MB, or is not JSON", error);
  }
  if (typeof content !== "object" || content === null || Array.isArray(content))
    throw refuse("the file must be one JSON object, with a SHA-256 for each operation");
  const texts = new Map<string, string>();
  for (const [key, text] of Object.entries(content as Record<string, unknown>)) {
    const hash = normalize(key);
    const shown = JSON.stringify(key.slice(0, 80));
    if (typeof text !== "string") throw refuse(`${shown} must have an operation's text`);
    if (hash !== sha256(text)) throw refuse(`${shown} is not the SHA-256 of its operation`);
    const fault = faultOf(text, schema);
    if (fault !== undefined) throw refuse(`the operation ${shown} does not fit the schema: ${fault}`);
    texts.set(hash, text);
  }
  return createPersistedOperations(texts, only);
}

function createPersistedOperations(texts: ReadonlyMap<string, string> | undefined, only: boolean): PersistedOperations {
  return {
    textOf: (params) => {
      const hash = readHash(params);
      const sent = typeof params.query === "string" && params.query !== "" ? params.query : undefined;
      if (hash === undefined) {
        if (only && (sent === undefined || texts?.has(sha256(sent)) !== true)) throw unknownOnly();
        return undefined;
      }
      if (sent !== undefined && sha256(sent) !== hash)
        throw new TenantryError("INVALID_INPUT", "The operation's SHA-256 is not the one that was sent with it.");
      const text = texts?.get(hash) ?? (only ? undefined : sent);
      // These words and codes are what clients look for. Where nothing can be known they send no more hashes.
      if (text === undefined && texts === undefined)
        throw new TenantryError("PERSISTED_QUERY_NOT_SUPPORTED", "PersistedQueryNotSupported");
      if (text === undefined) throw new TenantryError("PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound");
      return text;
    },
  };
}

function unknownOnly(): TenantryError {
  return new TenantryError("FORBIDDEN", "Only operations that are known here run: name one by its SHA-256.");
}

function readHash({ extensions, documentId }: OperationParams): string | undefined {
  if (documentId !== undefined && documentId !== null) {
    if (typeof documentId !== "string") throw invalidInput("documentId", "documentId must be a string.");
    return normalize(documentId);
  }
  const persisted = propertyOf(extensions, "persistedQuery");
  if (persisted === undefined || persisted === null) return undefined;
  const hash = propertyOf(persisted, "sha256Hash");
  if (typeof hash !== "string")
    throw invalidInput("extensions", "extensions.persistedQuery.sha256Hash must be a string.");
  return normalize(hash);
}

function propertyOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

function normalize(hash: string): string {
  return hash.replace(/^sha256:/, "").toLowerCase();
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function faultOf(text: string, schema: GraphQLSchema): string | undefined {
  let document: DocumentNode;
  try {
    document = parse(text);
  } catch (error) {
    return error instanceof Error ? error.message : "it cannot be parsed";
  }
  return validate(schema, document)[0]?.message;
}
