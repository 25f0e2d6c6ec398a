/** From the region floods come to the gateway, with and without what it gives the region to sign in with. Others are carried. */
import net from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Credential, readCredentials } from "../support/hostile-client.ts";
import { type Stage, type StageServers, startStage, startStageServers, until } from "../support/hostile-region.ts";
import { expectHarmless } from "../support/hostile-snapshot.ts";
import { createResource } from "../support/journey.ts";
import { ScramClient } from "../support/scram-client.ts";

let servers: StageServers;
let stage: Stage;
let own: Credential;

/** Small, so that little is a flood. */
const LIMITS = { maxStrangers: 30, maxStrangersPerAddress: 20, maxConnections: 40 };

beforeAll(async () => {
  servers = await startStageServers();
  stage = await startStage(servers, {
    method: "SUPERUSER",
    gateway: { limits: LIMITS },
    // Each write wakes its link, which connects anew.
    replication: { carrier: { idleMs: 50, stallMs: 8_000, retryMs: 50, maxRetryMs: 500 } },
  });
  [own] = (await readCredentials(stage)) as [Credential];
});
afterAll(async () => {
  await stage.stop();
  await servers[Symbol.asyncDispose]();
});

/** An attacker's own distance from the gateway: here both are one process, which has other things to do too. */
const pace = () => new Promise((next) => setTimeout(next, 5));

/** Keeps `count` connections open: each that ends is made again. `begin` does what one begins with. */
async function flood(
  count: number,
  begin: (socket: net.Socket) => Promise<unknown>,
  addressOf: (index: number) => string,
): Promise<AsyncDisposable & { readonly made: number }> {
  const stop = new AbortController();
  const open = new Set<net.Socket>();
  let made = 0;
  let settled = 0;
  const keepOne = async (index: number) => {
    while (!stop.signal.aborted) {
      const socket = net.connect({ port: own.port, host: "127.0.0.1", localAddress: addressOf(index) });
      socket.on("error", () => undefined);
      open.add(socket);
      made += 1;
      const closed = new Promise((resolve) => socket.once("close", resolve));
      await Promise.race([begin(socket).catch(() => undefined), closed]);
      settled += 1;
      socket.resume();
      await closed;
      open.delete(socket);
      await pace();
    }
  };
  const all = Promise.all(Array.from({ length: count }, (_, index) => keepOne(index)));
  await until("the flood is there", async () => settled >= count);
  return {
    get made() {
      return made;
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      for (const socket of open) socket.destroy();
      await all;
    },
  };
}

/** The other region's links are at rest: the next write has to connect anew. */
const parked = () =>
  until("the links are parked", async () => {
    const awake = await stage.home("select from pg_subscription where subenabled and subname = $1", [
      `${stage.other.database}_catalog`,
    ]);
    return awake.length === 0;
  });

const subscription = () =>
  stage.home("select oid from pg_subscription where subname = $1", [`${stage.other.database}_catalog`]);

const silent = () => Promise.resolve();
const signedIn = (socket: net.Socket) =>
  new ScramClient(socket, own.user, own.password).signIn({ replication: "database" });
const asking = async (socket: net.Socket) => {
  const client = new ScramClient(socket, own.user, own.password);
  await client.signIn({ replication: "database" });
  await client.query("IDENTIFY_SYSTEM");
};
const guessing = (socket: net.Socket) => new ScramClient(socket, own.user, "wrong").signIn({ replication: "database" });
const unknown = (socket: net.Socket) =>
  new ScramClient(socket, "postgres", "wrong").signIn({ replication: "database" });

const fromOne = () => "127.0.0.2";
const fromAll = (index: number) => `127.0.1.${(index % 200) + 1}`;
const fromTheSame = () => "127.0.0.1";

test.each<[string, number, (socket: net.Socket) => Promise<unknown>, (index: number) => string]>([
  ["connections that say nothing, from one address", 60, silent, fromOne],
  ["connections that say nothing, from many addresses", 60, silent, fromAll],
  ["connections that say nothing, from the address of everybody", 60, silent, fromTheSame],
  ["wrong passwords", 60, guessing, fromAll],
  ["names that there are not", 60, unknown, fromAll],
  ["connections that have signed in and say nothing", 60, signedIn, fromOne],
  ["connections that have signed in and are about to stream", 60, asking, fromOne],
])("%s: the other region's links go on being carried", async (_, count, begin, addressOf) => {
  await expectHarmless(stage, async () => {
    const written: string[] = [];
    const before = await subscription();
    await using flooding = await flood(count, begin, addressOf);
    for (let turn = 0; turn < 3; turn += 1) {
      const input = { name: `During ${stage.other.mark}`, organizationId: stage.other.organization };
      written.push(await createResource(stage.app, input));
      await until("the row is at home", async () => {
        return (await stage.home("select from catalog.resources where id = $1", [written.at(-1)])).length > 0;
      });
      await parked();
    }
    expect(flooding.made).toBeGreaterThanOrEqual(count);
    // Carried, and not copied anew, which needs no gateway for what is there already.
    expect(await subscription()).toEqual(before);
    return written;
  });
});
