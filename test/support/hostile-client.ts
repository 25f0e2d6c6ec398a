/** Signs in to the gateway by hand, with what the attacked region knows. */
import { once } from "node:events";
import net from "node:net";
import { message } from "../../src/engine/border/protocol/wire.ts";
import { type Stage, until } from "./hostile-region.ts";
import { ScramClient } from "./scram-client.ts";

/** What the region's server keeps of a link, as its superuser reads it. */
export type Credential = { host: string; port: number; user: string; password: string };

export async function readCredentials({ eu }: Pick<Stage, "eu">): Promise<Credential[]> {
  const rows = await eu<{ conninfo: string }>("select subconninfo as conninfo from pg_subscription order by subname");
  return rows.map(({ conninfo }) => {
    const of = (key: string) => new RegExp(`${key}='([^']*)'`).exec(conninfo)?.[1] ?? "";
    return { host: of("host"), port: Number(of("port")), user: of("user"), password: of("password") };
  });
}

/** Signs in and sends each query; what was answered, type letters in front. Also where it was hung up on. */
export async function converse(
  { host, port, user, password }: Credential,
  queries: readonly string[],
  parameters: Record<string, string> = { replication: "database" },
): Promise<string> {
  const socket = net.connect(port, host);
  try {
    const client = new ScramClient(socket, user, password);
    try {
      const greeting = await client.signIn(parameters);
      if (!greeting.includes("\nZ")) return `not signed in: ${greeting}`;
    } catch (error) {
      return `not signed in: ${String(error)}`;
    }
    let said = "";
    for (const query of queries) said += await client.query(query);
    return said;
  } finally {
    socket.destroy();
  }
}

/** Takes the link's stream, without ever confirming, until nothing more comes for `quietMs`. Everything that came. */
export async function takeStream(credential: Credential, quietMs = 500): Promise<string> {
  const socket = net.connect(credential.port, credential.host);
  const client = new ScramClient(socket, credential.user, credential.password);
  await client.signIn({ replication: "database" });
  const { user } = credential;
  let said = "";
  let last = Date.now();
  socket.on("data", (chunk: Buffer) => {
    said += chunk.toString("latin1");
    last = Date.now();
  });
  socket.write(
    message("Q", `START_REPLICATION SLOT "${user}" LOGICAL 0/0 (proto_version '1', publication_names '"${user}"')`),
  );
  await until("nothing more comes", async () => {
    return Date.now() - last >= quietMs && (said !== "" || socket.destroyed);
  });
  socket.destroy();
  if (!socket.closed) await once(socket, "close");
  return said;
}
