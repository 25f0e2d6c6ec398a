/** Takes secrets out of text before it is shown, logged or stored. */

// The password of a connection URL, of a libpq connection string, and of a URL's query.
const PATTERNS: readonly [RegExp, string][] = [
  [/(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/?#@]*):[^\s@/]*@/gi, "$1:***@"],
  [/\b(password|passfile|sslpassword)\s*=\s*('(?:[^'\\]|\\.)*'|[^\s&'"]+)/gi, "$1=***"],
  // API keys, of which the id may be seen, and JSON Web Tokens.
  [/\b(tnk_[0-9a-f]{32})_[A-Za-z0-9_-]{43}/g, "$1_***"],
  [/\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*/g, "eyJ***"],
  [/\b(bearer|basic)\s+[a-z0-9._~+/=-]{8,}/gi, "$1 ***"],
];

/** The text without passwords and bearer tokens. */
export function redact(text: string): string {
  return PATTERNS.reduce((result, [pattern, replacement]) => result.replace(pattern, replacement), text);
}

/** An error's message without secrets, for logs and for `failure` fields. */
export function redactedMessage(error: unknown): string {
  return redact(error instanceof Error ? error.message : String(error));
}
