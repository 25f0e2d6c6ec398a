/** The gateway's certificate and key, read from files that may be replaced while it runs. */
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { createSecureContext, type SecureContext } from "node:tls";

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
  const [cert, key] = await Promise.all([readBounded(files.certFile), readBounded(files.keyFile)]);
  const digest = createHash("sha256").update(cert).update("\0").update(key).digest("base64");
  if (digest === known) throw new Error("the files are as they were");
  return { context: createSecureContext({ cert, key, minVersion: "TLSv1.2" }), digest };
}

async function readBounded(path: string): Promise<Buffer> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    if (size > MAX_FILE_BYTES) throw new Error("the file is too large for a certificate or a key");
    return await file.readFile();
  } finally {
    await file.close();
  }
}
