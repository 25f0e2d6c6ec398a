import { z } from "zod";
import { refused, type ValuesOf, variable } from "#config/variable";

export const GATEWAY = {
  title: "The gateway",
  about:
    "Processes with the role `all` or `worker` have a gateway. [Addresses and\nTLS](../how-to/move-a-server.md#addresses-and-tls) explains its variables.",
  fields: {
    listen: variable(
      "TENANTRY_GATEWAY_LISTEN",
      z
        .string()
        .regex(/^(\[[0-9a-fA-F:.]+\]|[^:]+):\d{1,5}$/, "a host and a port are expected, as in 127.0.0.1:4001")
        .default("127.0.0.1:4001"),
      { meaning: "Where the gateway listens. Port 0 takes any port that is free.", example: "[::]:4001" },
    ),
    address: variable("TENANTRY_GATEWAY_ADDRESS", z.string().min(1).max(1_000).optional(), {
      meaning:
        "How the regions' servers reach the gateway: a host and a port, or a URL with TLS parameters. It is required when the gateway listens on every address (`0.0.0.0`, `::`).",
      otherwise: "where it listens",
      example: "postgres://gateway.example.com:4001?sslmode=verify-full",
    }),
    homeAddress: variable("TENANTRY_GATEWAY_HOME_ADDRESS", z.string().min(1).max(1_000).optional(), {
      meaning: "How home's server reaches the gateway, where that is another way.",
      otherwise: "the address above",
      example: "10.0.0.7:4001",
    }),
    certFile: variable("TENANTRY_GATEWAY_CERT", z.string().min(1).optional(), {
      meaning:
        "A file with the gateway's certificate and its chain, in PEM. It needs `TENANTRY_GATEWAY_KEY`. With both the gateway takes TLS only. Replaced files count within 10 seconds.",
      example: "/etc/tenantry/gateway.crt",
    }),
    keyFile: variable("TENANTRY_GATEWAY_KEY", z.string().min(1).optional(), {
      meaning: "A file with the certificate's private key, in PEM.",
      example: "/etc/tenantry/gateway.key",
    }),
  },
};

/** Where this process's gateway listens, and how servers reach it. */
export function gatewaySettings({ listen, certFile, keyFile, ...rest }: ValuesOf<typeof GATEWAY>) {
  if ((certFile === undefined) !== (keyFile === undefined))
    throw refused("TENANTRY_GATEWAY_CERT and TENANTRY_GATEWAY_KEY must both be set, or neither.");
  const colon = listen.lastIndexOf(":");
  const port = Number(listen.slice(colon + 1));
  if (port > 65_535) throw refused("The environment variable TENANTRY_GATEWAY_LISTEN names no port that there is.");
  return {
    ...rest,
    host: listen.slice(0, colon).replace(/^\[|\]$/g, ""),
    port,
    certificate: certFile === undefined || keyFile === undefined ? undefined : { certFile, keyFile },
  };
}
