/** Certificate authorities of a test's own, made by the `openssl` program, and PostgreSQL servers that take TLS only. */
import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { serverAccount } from "../../src/embedded/account.ts";
import { temporaryFolder } from "./servers.ts";

export type Authority = {
  /** What `sslrootcert` names. */
  rootFile: string;
  /** A list of revoked certificates, with these in it. */
  revoke: (...certFiles: string[]) => string;
  /** A certificate for these names, as openssl writes them: `DNS:localhost`, `IP:127.0.0.1`. */
  certify: (names: readonly string[], options?: { isExpired?: boolean }) => { certFile: string; keyFile: string };
};

/** A new authority that nobody else trusts. Its files can be read by the account that servers run as. */
export function createAuthority(name: string): Authority {
  const folder = temporaryFolder();
  // As root the servers run as another account, which must get through.
  chmodSync(folder, 0o755);
  const account = serverAccount();
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl("req", "-x509", ...newKey, "-days", "2", "-subj", `/CN=${name}`, "-keyout", "ca.key", "-out", "ca.crt");
  chmodSync(join(folder, "ca.crt"), 0o644);
  let count = 0;
  return {
    rootFile: join(folder, "ca.crt"),
    revoke: (...certFiles) => {
      count += 1;
      const [list, settings] = [`${count}.crl`, `${count}.cnf`];
      writeFileSync(join(folder, "index.txt"), "");
      writeFileSync(
        join(folder, settings),
        "[ca]\ndefault_ca=this\n[this]\ndatabase=index.txt\ncertificate=ca.crt\nprivate_key=ca.key\ndefault_md=sha256\n",
      );
      for (const certFile of certFiles) openssl("ca", "-config", settings, "-revoke", certFile);
      openssl("ca", "-config", settings, "-gencrl", "-crldays", "2", "-out", list);
      chmodSync(join(folder, list), 0o644);
      return join(folder, list);
    },
    certify: (names, { isExpired = false } = {}) => {
      count += 1;
      const [key, request, cert, extensions] = ["key", "csr", "crt", "ext"].map((end) => `${count}.${end}`);
      if (key === undefined || request === undefined || cert === undefined || extensions === undefined)
        throw new Error("a name is missing");
      writeFileSync(join(folder, extensions), `subjectAltName=${names.join(",")}\n`);
      openssl("req", "-new", ...newKey, "-subj", "/CN=server", "-keyout", key, "-out", request);
      const days = isExpired ? "-1" : "2";
      const signing = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", days, "-extfile", extensions];
      openssl("x509", "-req", "-in", request, ...signing, "-out", cert);
      const [certFile, keyFile] = [join(folder, cert), join(folder, key)];
      chmodSync(certFile, 0o644);
      // PostgreSQL takes a key only from its own account, which nobody else can read.
      chmodSync(keyFile, 0o600);
      if (account !== undefined) chownSync(keyFile, account.uid, account.gid);
      return { certFile, keyFile };
    },
  };
}

/** Settings of a server that shows this certificate and lets nobody in without TLS. */
export function tlsOnly({ certFile, keyFile }: { certFile: string; keyFile: string }): Record<string, string> {
  const folder = temporaryFolder();
  chmodSync(folder, 0o755);
  const hbaFile = join(folder, "pg_hba.conf");
  writeFileSync(hbaFile, "hostssl all all 127.0.0.1/32 scram-sha-256\n");
  chmodSync(hbaFile, 0o644);
  return { ssl: "on", ssl_cert_file: certFile, ssl_key_file: keyFile, hba_file: hbaFile };
}
