import { z } from "zod";
import { isSafeUrl } from "#base/kernel/loopback";
import { flag, refused, type ValuesOf, variable } from "#config/variable";

export const SIGN_IN = {
  title: "Sign-in",
  about: "",
  fields: {
    mode: variable("TENANTRY_AUTH", z.enum(["development", "bearer"]).default("development"), {
      meaning:
        "How callers [sign in](../how-to/sign-in.md). In `development` whoever reaches the API is the operator. With `bearer` each request shows a token or an API key.",
    }),
    issuer: variable("OIDC_ISSUER", z.string().max(500).optional(), {
      meaning:
        "The URL of the identity provider, as in the tokens' `iss`. It is https, or http on this machine. It needs `OIDC_AUDIENCE`.",
      otherwise: "API keys only",
      example: "https://id.example.com",
    }),
    audience: variable("OIDC_AUDIENCE", z.string().optional(), {
      meaning: "What the tokens' `aud` must name. It needs `OIDC_ISSUER`.",
      example: "https://api.example.com",
    }),
    createUsers: variable("TENANTRY_OIDC_CREATE_USERS", flag(), {
      meaning:
        "With `true` a valid token of an unknown person makes a user. An address that is not verified [proves nothing](../how-to/sign-in.md#whose-a-token-is).",
    }),
    // A claim's name may have colons in it, its value not.
    operatorClaim: variable(
      "TENANTRY_OPERATOR_CLAIM",
      z
        .string()
        .regex(/^.+:[^:]+$/, "a claim and its value are expected, as in roles:tenantry-operator")
        .optional(),
      {
        meaning: "A claim and its value. A token with it is [the operator's](../how-to/sign-in.md#operators).",
        example: "roles:tenantry-operator",
      },
    ),
  },
};

type SignInSettings =
  | { mode: "development" }
  | {
      mode: "bearer";
      /** Undefined: API keys only. */
      oidc: { issuer: string; audience: string } | undefined;
      createUsers: boolean;
      operatorClaim: { name: string; value: string } | undefined;
    };

export function signInSettings(values: ValuesOf<typeof SIGN_IN>): SignInSettings {
  const { mode, issuer, audience, createUsers, operatorClaim: claim } = values;
  if (mode === "development") {
    // Setting these implies TENANTRY_AUTH=bearer.
    if (issuer !== undefined || audience !== undefined || claim !== undefined || createUsers)
      throw refused("OIDC_ISSUER and what belongs to it counts with TENANTRY_AUTH=bearer only: set that too.");
    return { mode };
  }
  if ((issuer === undefined) !== (audience === undefined))
    throw refused(
      "OIDC_ISSUER and OIDC_AUDIENCE must be set together: a token for another program must not count here.",
    );
  if (issuer === undefined && (claim !== undefined || createUsers))
    throw refused("TENANTRY_OPERATOR_CLAIM and TENANTRY_OIDC_CREATE_USERS need OIDC_ISSUER and OIDC_AUDIENCE.");
  if (issuer !== undefined && !isSafeUrl(issuer))
    throw refused("OIDC_ISSUER must be an https URL; http is for an identity provider on this machine.");
  const colon = claim?.lastIndexOf(":") ?? -1;
  return {
    mode,
    oidc: issuer === undefined || audience === undefined ? undefined : { issuer, audience },
    createUsers,
    operatorClaim: claim === undefined ? undefined : { name: claim.slice(0, colon), value: claim.slice(colon + 1) },
  };
}
