/** Where identity providers of tests listen: what they answer is theirs, and tokens are what they are for. */
const ports = new Set<number>();

export function noteIdentityProvider(port: number): void {
  ports.add(port);
}

export function isIdentityProvider(port: number | undefined): boolean {
  return port !== undefined && ports.has(port);
}
