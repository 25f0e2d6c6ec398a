import { z } from "zod";
import { isSafeUrl } from "#base/kernel/loopback";
import { flag, refused, type ValuesOf, variable } from "#config/variable";

/** A claim's name may have colons in it, its value not. */
const claimAndValue = () =>
  z
    .string()
    .regex(/^.+:[^:]+$/, "a claim and its value are expected, as in roles:tenantry-operator")
    .optional();

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
    otherIssuers: variable("OIDC_OTHER_ISSUERS", z.string().max(5_000).optional(), {
      meaning:
        "More [identity providers](../how-to/sign-in.md#several-issuers), separated by commas. Each is an issuer's URL; `|` and an audience follow where it is not `OIDC_AUDIENCE`. Their tokens make no operators.",
      example: "https://id.partner.example,https://accounts.example|client-7",
    }),
    otherIssuersProveAddresses: variable("TENANTRY_OIDC_OTHERS_PROVE_ADDRESSES", flag(), {
      meaning:
        "With `true` an address that one of `OIDC_OTHER_ISSUERS` calls verified counts as the person's. Set it only when you trust each of them with every address.",
    }),
    createUsers: variable("TENANTRY_OIDC_CREATE_USERS", flag(), {
      meaning:
        "With `true` a valid token of an unknown person makes a user. An address that is not verified [proves nothing](../how-to/sign-in.md#whose-a-token-is).",
    }),
    operatorClaim: variable("TENANTRY_OPERATOR_CLAIM", claimAndValue(), {
      meaning: "A claim and its value. A token with it is [the operator's](../how-to/sign-in.md#operators).",
      example: "roles:tenantry-operator",
    }),
    readOnlyClaim: variable("TENANTRY_READ_ONLY_OPERATOR_CLAIM", claimAndValue(), {
      meaning:
        "A claim and its value. A token with it is [a read-only operator's](../how-to/sign-in.md#operators), who sees everything and changes nothing.",
      example: "roles:tenantry-reader",
    }),
  },
};

type SignInSettings =
  | { mode: "development" }
  | {
      mode: "bearer";
      /** Undefined: API keys only. */
      oidc: Issuer | undefined;
      otherIssuers: Issuer[];
      otherIssuersProveAddresses: boolean;
      createUsers: boolean;
      operatorClaim: Claim | undefined;
      readOnlyClaim: Claim | undefined;
    };

type Issuer = { issuer: string; audience: string };

type Claim = { name: string; value: string };

export function signInSettings(values: ValuesOf<typeof SIGN_IN>): SignInSettings {
  const { mode, issuer, audience, createUsers, operatorClaim, readOnlyClaim } = values;
  const { otherIssuers, otherIssuersProveAddresses } = values;
  const hasOthers = otherIssuers !== undefined || otherIssuersProveAddresses;
  const hasClaim = operatorClaim !== undefined || readOnlyClaim !== undefined;
  if (mode === "development") {
    // Setting these implies TENANTRY_AUTH=bearer.
    if (issuer !== undefined || audience !== undefined || hasClaim || createUsers || hasOthers)
      throw refused("OIDC_ISSUER and what belongs to it counts with TENANTRY_AUTH=bearer only: set that too.");
    return { mode };
  }
  if ((issuer === undefined) !== (audience === undefined))
    throw refused(
      "OIDC_ISSUER and OIDC_AUDIENCE must be set together: a token for another program must not count here.",
    );
  if (issuer === undefined && (hasClaim || createUsers || hasOthers))
    throw refused(
      "TENANTRY_OPERATOR_CLAIM, TENANTRY_READ_ONLY_OPERATOR_CLAIM, TENANTRY_OIDC_CREATE_USERS, OIDC_OTHER_ISSUERS and TENANTRY_OIDC_OTHERS_PROVE_ADDRESSES need OIDC_ISSUER and OIDC_AUDIENCE.",
    );
  if (issuer !== undefined && !isSafeUrl(issuer))
    throw refused("OIDC_ISSUER must be an https URL; http is for an identity provider on this machine.");
  const oidc = issuer === undefined || audience === undefined ? undefined : { issuer, audience };
  if (otherIssuers === undefined && otherIssuersProveAddresses)
    throw refused("TENANTRY_OIDC_OTHERS_PROVE_ADDRESSES needs OIDC_OTHER_ISSUERS.");
  return {
    mode,
    oidc,
    otherIssuers: oidc === undefined || otherIssuers === undefined ? [] : othersOf(otherIssuers, oidc),
    otherIssuersProveAddresses,
    createUsers,
    operatorClaim: claimOf(operatorClaim),
    readOnlyClaim: claimOf(readOnlyClaim),
  };
}

const MAX_OTHER_ISSUERS = 20;

function othersOf(text: string, first: Issuer): Issuer[] {
  const others = text.split(",").map((entry) => {
    const [issuer = "", audience = first.audience, ...rest] = entry.split("|").map((part) => part.trim());
    if (!isSafeUrl(issuer) || issuer.length > 500)
      throw refused(
        "OIDC_OTHER_ISSUERS must name https URLs, separated by commas; http is for an identity provider on this machine.",
      );
    if (audience === "" || rest.length > 0)
      throw refused("OIDC_OTHER_ISSUERS must have at most one audience for each issuer: issuer|audience.");
    return { issuer, audience };
  });
  if (others.length > MAX_OTHER_ISSUERS)
    throw refused(`OIDC_OTHER_ISSUERS must name at most ${MAX_OTHER_ISSUERS} issuers.`);
  const all = [first, ...others].map(({ issuer }) => issuer);
  if (new Set(all).size < all.length)
    throw refused("OIDC_ISSUER and OIDC_OTHER_ISSUERS must not name an issuer twice.");
  return others;
}

function claimOf(text: string | undefined): Claim | undefined {
  if (text === undefined) return undefined;
  const colon = text.lastIndexOf(":");
  return { name: text.slice(0, colon), value: text.slice(colon + 1) };
}
