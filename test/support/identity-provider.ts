/** A real OpenID Connect provider on loopback whose keys can be rotated, and tokens of any kind in its name. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from "jose";
import { type Configuration, Provider } from "oidc-provider";
import { noteIdentityProvider } from "./identity-provider-ports.ts";

export const AUDIENCE = "https://api.example.com";
const CLIENT_SECRET = "client-secret-of-the-tests";

type SigningKey = { jwk: JWK & { kid: string }; privateKey: CryptoKey };

export type IdentityProvider = {
  issuer: string;
  /** A token as the provider itself gives it out to this client, whose name is the subject. */
  grant: (client: string) => Promise<string>;
  /** A token with these claims and header over the usual ones, signed by the provider's key or another. */
  sign: (claims?: JWTPayload, options?: { header?: object; key?: SigningKey; without?: string }) => Promise<string>;
  /** The key that signs now. */
  key: () => SigningKey;
  /** Takes a new key; `publish` lists it (instead of the old one) where keys are looked for. */
  rotate: (options?: { publish?: boolean }) => Promise<SigningKey>;
  /** How often it was asked for something. */
  requests: () => number;
  /** While true it answers nothing but errors. */
  setAway: (away: boolean) => void;
  close: () => Promise<void>;
};

/** A key pair that signs as the provider would. */
export async function makeKey(kid: string, alg = "RS256"): Promise<SigningKey> {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  return { privateKey, jwk: { ...(await exportJWK(privateKey)), kid, alg, use: "sig" } };
}

/** `people`: what tokens of the client with this name say about the person. */
export async function startIdentityProvider(people: Record<string, JWTPayload>): Promise<IdentityProvider> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  noteIdentityProvider(port);
  const issuer = `http://127.0.0.1:${port}`;
  let key = await makeKey("first");
  let handle = makeProvider(issuer, people, key).callback();
  let [rotations, requests, away] = [0, 0, false];
  server.on("request", (request, response) => {
    requests += 1;
    if (away) response.writeHead(503).end();
    else void handle(request, response);
  });
  return {
    issuer,
    grant: async (client) => {
      const response = await fetch(`${issuer}/token`, {
        method: "POST",
        headers: { authorization: `Basic ${btoa(`${client}:${CLIENT_SECRET}`)}` },
        body: new URLSearchParams({ grant_type: "client_credentials", resource: AUDIENCE }),
      });
      const answer = (await response.json()) as { access_token?: string };
      if (answer.access_token === undefined) throw new Error(`no token: ${JSON.stringify(answer)}`);
      return answer.access_token;
    },
    sign: (claims = {}, { header = {}, key: other = key, without } = {}) => {
      const now = Math.floor(Date.now() / 1_000);
      const all = { iss: issuer, aud: AUDIENCE, sub: "ada", iat: now, exp: now + 600, ...claims };
      return new SignJWT(Object.fromEntries(Object.entries(all).filter(([name]) => name !== without)))
        .setProtectedHeader({ alg: other.jwk.alg ?? "RS256", kid: other.jwk.kid, typ: "at+jwt", ...header })
        .sign(other.privateKey);
    },
    key: () => key,
    rotate: async ({ publish = true } = {}) => {
      rotations += 1;
      key = await makeKey(`rotated-${rotations}`);
      if (publish) handle = makeProvider(issuer, people, key).callback();
      return key;
    },
    requests: () => requests,
    setAway: (value) => {
      away = value;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}

function makeProvider(issuer: string, people: Record<string, JWTPayload>, key: SigningKey): Provider {
  const configuration: Configuration = {
    clients: Object.keys(people).map((name) => ({
      client_id: name,
      client_secret: CLIENT_SECRET,
      grant_types: ["client_credentials"],
      redirect_uris: [],
      response_types: [],
    })),
    jwks: { keys: [key.jwk] },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({
          scope: "",
          audience: AUDIENCE,
          accessTokenFormat: "jwt",
          jwt: { sign: { alg: "RS256" } },
        }),
      },
    },
    ttl: { ClientCredentials: 600 },
    extraTokenClaims: (_, token) => ({ ...people[("clientId" in token ? token.clientId : undefined) ?? ""] }),
  };
  return new Provider(issuer, configuration);
}
