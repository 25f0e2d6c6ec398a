/**
 * Random writes through the APIs and by hand, and what of them was acknowledged. A write whose answer never came may or
 * may not have happened, now or a little later: what it touched is then no longer expected to be anything.
 */
import { randomUUID } from "node:crypto";
import pg from "pg";
import { z } from "zod";
import { newRoutedId } from "../../src/base/kernel/ids.ts";
import type { Random } from "../support/random.ts";

/** `number` is that of the placement. */
export type Tenant = { organization: string; number: number; region: string; database: string; url: string };

export type World = {
  homeUrl: string;
  tenants: readonly Tenant[];
  /** The URLs of the APIs that run now. */
  apis: () => readonly string[];
};

const UNKNOWN = Symbol("unknown");
type Expected = string | null | typeof UNKNOWN;

/** What must be found at the end, by table and key; null: nothing. */
export class Ledger {
  readonly #expected = new Map<string, Expected>();
  readonly #busy = new Set<string>();
  readonly users: string[] = [];
  /** Resources that comments can be written on; tenant undefined: the default organization's. */
  readonly resources: { id: string; tenant: Tenant | undefined }[] = [];
  readonly handmade: { id: string; tenant: Tenant }[] = [];
  acknowledged = 0;
  refused = 0;
  unanswered = 0;

  /**
   * Runs one write of `key`. It gives the value that the key has afterwards, or undefined when it was refused and
   * changed nothing. One write of a key at a time: the next one comes when this one is decided.
   */
  async write(key: string, work: () => Promise<string | null | undefined>): Promise<void> {
    if (this.#busy.has(key)) return;
    this.#busy.add(key);
    try {
      const value = await work();
      if (value === undefined) {
        this.refused += 1;
        return;
      }
      this.acknowledged += 1;
      if (this.#expected.get(key) !== UNKNOWN) this.#expected.set(key, value);
    } catch {
      this.unanswered += 1;
      this.#expected.set(key, UNKNOWN);
    } finally {
      this.#busy.delete(key);
    }
  }

  /** Everything known under a prefix. */
  known(prefix: string): [key: string, value: string | null][] {
    return [...this.#expected].flatMap(([key, value]): [string, string | null][] =>
      key.startsWith(prefix) && value !== UNKNOWN ? [[key.slice(prefix.length), value]] : [],
    );
  }
}

const answerShape = z.object({
  data: z.record(z.string(), z.object({ id: z.string().optional() })).nullish(),
  errors: z.array(z.object({ message: z.string(), extensions: z.object({ code: z.string() }) })).optional(),
});

/** These say that nothing was changed; any other failure leaves it open. */
const REFUSALS = new Set(["NOT_FOUND", "CONFLICT", "INVALID_INPUT", "FORBIDDEN"]);

type Answer = { id: string } | { code: string; message: string };

/** Sends a mutation to some API. Throws when there is no answer. */
async function send(random: Random, world: World, mutation: string, input: object): Promise<Answer> {
  const type = `${mutation.charAt(0).toUpperCase()}${mutation.slice(1)}Input`;
  const field = { addOrganizationMember: "role", registerRegion: "key" }[mutation] ?? "id";
  const response = await fetch(`${random.pick(world.apis())}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      query: `mutation ($input: ${type}!) { ${mutation}(input: $input) { ${field} } }`,
      variables: { input },
    }),
    signal: AbortSignal.timeout(30_000),
  });
  const { data, errors } = answerShape.parse(await response.json());
  const [error] = errors ?? [];
  if (error !== undefined) return { code: error.extensions.code, message: error.message };
  return { id: data?.[mutation]?.id ?? "" };
}

/** The id in the answer to a mutation, undefined when it was refused; throws when it is not known what happened. */
async function ask(random: Random, world: World, mutation: string, input: object): Promise<string | undefined> {
  if (world.apis().length === 0) return undefined;
  const answer = await send(random, world, mutation, input);
  if ("id" in answer) return answer.id;
  if (REFUSALS.has(answer.code)) return undefined;
  throw new Error(`${mutation}: ${answer.message}`);
}

/** The same where nothing may go wrong. */
export async function insist(random: Random, world: World, mutation: string, input: object): Promise<string> {
  const answer = await send(random, world, mutation, input);
  if ("id" in answer) return answer.id;
  throw new Error(`${mutation} was refused: ${answer.code}, ${answer.message}`);
}

/** Runs statements by hand, as one who uses psql. */
export async function byHand(url: string, ...statements: string[]): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000, statement_timeout: 20_000 });
  client.on("error", () => undefined);
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** A transaction that stays open for a while, so that others begin later and commit earlier. */
function slowly(random: Random, statement: string): string[] {
  if (random.below(2) === 0) return [statement];
  return ["begin", statement, `select pg_sleep(${(random.next() * 1.5).toFixed(3)})`, "commit"];
}

const ROLES = ["ADMIN", "MEMBER", "VIEWER"] as const;
const HANDMADE = "app.resources (database_id, id, organization_id, name) select database_id";

type Write = (random: Random, world: World, ledger: Ledger) => Promise<void>;

const addMember: Write = (random, world, ledger) => {
  const { organization: organizationId } = random.pick(world.tenants);
  const [userId, role] = [random.pick(ledger.users), random.pick(ROLES)];
  return ledger.write(`member ${organizationId} ${userId}`, async () =>
    (await ask(random, world, "addOrganizationMember", { organizationId, userId, role })) === undefined
      ? undefined
      : role,
  );
};

const removeMember: Write = (random, world, ledger) => {
  const { organization: organizationId } = random.pick(world.tenants);
  const userId = random.pick(ledger.users);
  return ledger.write(`member ${organizationId} ${userId}`, async () =>
    (await ask(random, world, "removeOrganizationMember", { organizationId, userId })) === undefined ? undefined : null,
  );
};

const memberByHand: Write = (random, world, ledger) => {
  const { organization } = random.pick(world.tenants);
  const [user, role] = [random.pick(ledger.users), random.pick(ROLES)];
  const remove = random.below(3) === 0;
  const statement = remove
    ? `delete from tenantry.memberships where organization_id = '${organization}' and user_id = '${user}'`
    : `insert into tenantry.memberships values ('${organization}', '${user}', '${role}')
       on conflict (organization_id, user_id) do update set role = excluded.role`;
  return ledger.write(`member ${organization} ${user}`, async () => {
    await byHand(world.homeUrl, ...slowly(random, statement));
    return remove ? null : role;
  });
};

const createUser: Write = async (random, world, ledger) => {
  const name = `User ${randomUUID()}`;
  await ledger.write(`email ${name.slice(5)}@example.com`, async () => {
    const id = await ask(random, world, "createUser", { name, email: `${name.slice(5)}@example.com` });
    if (id !== undefined) ledger.users.push(id);
    return id;
  });
};

const renameUser: Write = (random, world, ledger) => {
  const [id, name] = [random.pick(ledger.users), `Renamed ${randomUUID()}`];
  return ledger.write(`user ${id}`, async () => {
    if (random.below(3) > 0)
      return (await ask(random, world, "updateUser", { id, name })) === undefined ? undefined : name;
    await byHand(world.homeUrl, ...slowly(random, `update tenantry.users set name = '${name}' where id = '${id}'`));
    return name;
  });
};

const createResource: Write = (random, world, ledger) => {
  const tenant = random.below(8) === 0 ? undefined : random.pick(world.tenants);
  const location = tenant === undefined ? {} : { organizationId: tenant.organization, regionKey: tenant.region };
  const name = `Resource ${randomUUID()}`;
  return ledger.write(`resource ${tenant?.url ?? world.homeUrl} ${name}`, async () => {
    const id = await ask(random, world, "createResource", { name, ...location });
    if (id !== undefined) ledger.resources.push({ id, tenant });
    return id;
  });
};

const createComment: Write = async (random, world, ledger) => {
  if (ledger.resources.length === 0) return;
  const { id: resourceId, tenant } = random.pick(ledger.resources);
  const members = tenant === undefined ? [] : ledger.known(`member ${tenant.organization} `);
  const authors = members.flatMap(([user, role]) => (role === "ADMIN" || role === "MEMBER" ? [user] : []));
  const authorId = random.pick(authors.length > 0 ? authors : ledger.users);
  const body = `Comment ${randomUUID()}`;
  await ledger.write(`comment ${tenant?.url ?? world.homeUrl} ${body}`, () =>
    ask(random, world, "createComment", { resourceId, body, authorId }),
  );
};

const resourceByHand: Write = async (random, world, ledger) => {
  const known = ledger.handmade.length > 0 && random.below(2) === 0 ? random.pick(ledger.handmade) : undefined;
  const tenant = known?.tenant ?? random.pick(world.tenants);
  const [id, name] = [known?.id ?? newRoutedId(tenant.number), `By hand ${randomUUID()}`];
  const remove = known !== undefined && random.below(2) === 0;
  const statement = remove
    ? `delete from app.resources where id = '${id}'`
    : `insert into ${HANDMADE}, '${id}', '${tenant.organization}', '${name}' from tenantry.identity
       on conflict (database_id, id) do update set name = excluded.name`;
  await ledger.write(`handmade ${tenant.url} ${id}`, async () => {
    await byHand(tenant.url, ...slowly(random, statement));
    if (known === undefined) ledger.handmade.push({ id, tenant });
    return remove ? null : name;
  });
};

const WRITES: readonly Write[] = [
  addMember,
  addMember,
  removeMember,
  memberByHand,
  createUser,
  renameUser,
  createResource,
  createResource,
  createComment,
  createComment,
  resourceByHand,
  resourceByHand,
];

/** One random write. */
export function writeSomething(random: Random, world: World, ledger: Ledger): Promise<void> {
  return random.pick(WRITES)(random, world, ledger);
}
