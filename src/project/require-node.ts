/** The command line brings Node 24 along; a program that uses Tenantry as a library has to run on it. */
export function requireNode24(): void {
  if (Number(process.versions.node.split(".")[0]) >= 24) return;
  throw new Error(`As a library Tenantry needs Node 24 or newer, and this is ${process.version}.`);
}
