/** The gateway's certificate and key, read from files that may be replaced while it runs. */
import { createHash } from "node:crypto";
import { createSecureContext, type SecureContext } from "node:tls";
import { readRegularFile } from "#base/kernel/regular-file";

export type CertificateFiles = { certFile: string; keyFile: string };

/** A chain of certificates is a few kilobytes. */
const MAX_FILE_BYTES = 1024 * 1024;
/** How long a context is used before the files are looked at again. */
const LOOK_AGAIN_MS = 10_000;

export class Certificate {
  readonly #files: CertificateFiles;
  #context: SecureContext;
  #digest: string;
  #lookedAt = performance.now();

  private constructor(files: CertificateFiles, context: SecureContext, digest: string) {
    this.#files = files;
    this.#context = context;
    this.#digest = digest;
  }

  /** Rejects when a file cannot be read, or the two do not belong together. */
  static async load(files: CertificateFiles): Promise<Certificate> {
    const { context, digest } = await read(files);
    return new Certificate(files, context, digest);
  }

  /** For the next connection. While files are being replaced, the former certificate stays. */
  async context(): Promise<SecureContext> {
    if (performance.now() - this.#lookedAt < LOOK_AGAIN_MS) return this.#context;
    this.#lookedAt = performance.now();
    const fresh = await read(this.#files, this.#digest).catch(() => undefined);
    if (fresh !== undefined) {
      this.#context = fresh.context ?? this.#context;
      this.#digest = fresh.digest;
    }
    return this.#context;
  }
}

async function read(files: CertificateFiles, known?: string): Promise<{ context: SecureContext; digest: string }> {
  const [cert, key] = [readPem(files.certFile), readPem(files.keyFile)];
  const digest = createHash("sha256").update(cert).update("\0").update(key).digest("base64");
  if (digest === known) throw new Error("the files are as they were");
  return { context: createSecureContext({ cert, key, minVersion: "TLSv1.2" }), digest };
}

/** A pipe or a device is refused at once: reading it may never end. */
function readPem(path: string): string {
  try {
    return readRegularFile(path, MAX_FILE_BYTES);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`${path} cannot be read as a certificate or a key: ${reason}`, { cause });
  }
}
