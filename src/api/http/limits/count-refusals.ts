/** Refused sign-ins are counted, not recorded one by one: nothing bounds how many there are, and nobody is behind them. */
import type { SignIn } from "#engine/auth/sign-in";
import { TenantryError } from "#base/kernel/errors";
import type { Metrics } from "#base/observability/metrics";

/** The same sign-in, with its refusals counted. */
export function countRefusals(signIn: SignIn, metrics: Metrics): SignIn {
  return {
    mode: signIn.mode,
    onEnded: (signedIn, callback) => signIn.onEnded(signedIn, callback),
    async identify(credentials) {
      try {
        return await signIn.identify(credentials);
      } catch (error) {
        if (error instanceof TenantryError && error.code === "UNAUTHENTICATED") metrics.signInRefused();
        throw error;
      }
    },
  };
}
