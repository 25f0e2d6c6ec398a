/**
 * The record of a test run: what the programs said (answers, logs, output, stored failures) and the secrets that were
 * used. When the run is over, global-setup.ts looks for the second in the first.
 */
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const FOLDER = "record";
/** Shorter ones would be found in ordinary words. */
const MIN_SECRET_LENGTH = 6;

/** Notes something that left a program. `source` says which way, for the finding. */
export function recordSaid(runFolder: string, source: string, text: string): void {
  append(runFolder, `said-${process.pid}`, { source, text });
}

/** Notes a secret that nothing may say. */
export function recordSecret(runFolder: string, secret: string): void {
  if (secret.length >= MIN_SECRET_LENGTH) append(runFolder, `secrets-${process.pid}`, { text: secret });
}

function append(runFolder: string, name: string, entry: { source?: string; text: string }): void {
  const folder = join(runFolder, FOLDER);
  mkdirSync(folder, { recursive: true });
  appendFileSync(join(folder, name), `${JSON.stringify(entry)}\n`);
}

type Entry = { source: string; text: string };

/** Everything that was said, in no order over several processes. */
export function readSaid(runFolder: string): Entry[] {
  return read(runFolder, "said-");
}

/** Every secret that was used, and the keys that were made; each once. */
export function readSecrets(runFolder: string): Set<string> {
  const made = readSaid(runFolder).flatMap(({ text }) => [...text.matchAll(API_KEY)].map(([, secret = ""]) => secret));
  return new Set(
    read(runFolder, "secrets-")
      .map(({ text }) => text)
      .concat(made),
  );
}

function read(runFolder: string, prefix: string): Entry[] {
  const folder = join(runFolder, FOLDER);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.startsWith(prefix))
    .flatMap((name) => readFileSync(join(folder, name), "utf8").trimEnd().split("\n"))
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Entry);
}

const API_KEY = /tnk_[0-9a-f]{32}_([A-Za-z0-9_-]{43})/g;

/** What is meant to show a secret: a key when it is made, the token of an invitation to who wants to send it, and the URLs that `start` prints for the newcomer. */
const MEANT_TO: readonly RegExp[] = [
  /"inviteMember":\{[^{}]*"token":"[A-Za-z0-9_-]{43}"/g,
  /"secret":"tnk_[0-9a-f]{32}_[A-Za-z0-9_-]{43}"/g,
  /^tnk_[0-9a-f]{32}_[A-Za-z0-9_-]{43}$/gm,
  /^ {4}(eu|us) +postgres:\/\/\S+$/gm,
];

/** Sentences about secrets that were said where nothing is meant to show them; none of the sentences repeats one. */
export function findLeaks(runFolder: string): string[] {
  const forms = [...readSecrets(runFolder)].flatMap(formsOf);
  const found = new Set<string>();
  for (const { source, text } of readSaid(runFolder)) {
    const rest = MEANT_TO.reduce((left, pattern) => left.replaceAll(pattern, ""), text);
    for (const form of forms) {
      const at = rest.indexOf(form);
      if (at === -1) continue;
      const around = `${rest.slice(Math.max(0, at - 80), at)}***${rest.slice(at + form.length, at + form.length + 40)}`;
      found.add(`${source}: ${forms.reduce((left, one) => left.replaceAll(one, "***"), around)}`);
    }
  }
  return [...found];
}

/** A secret as it may be written: as it is, in a URL, in JSON, and a key of 32 bytes in hexadecimal. */
function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret, "base64");
  const hex = bytes.length === 32 ? [bytes.toString("hex")] : [];
  return [...new Set([secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1), ...hex])];
}
