import { inspect, styleText } from "node:util";
import { Command } from "commander";
import { print } from "#cli/output";
import { explain } from "#cli/reference";
import { readConfig } from "#config";
import { findProject } from "#project/load-project";
import { TenantryError } from "#base/kernel/errors";
import { embeddedRegionUrls } from "#cli/embedded-servers";

/** `tenantry demo`: plays the whole journey against the running API and shows each step with what came back. */
export function demoCommand(): Command {
  const command = new Command("demo")
    .description(
      "Play the whole journey against a running API, and show each step with its answer. It makes users, an organization, a resource and comments.",
    )
    .option("--url <url>", "The URL of the API. Without it: this machine, at PORT.")
    .option(
      "--region-url <url>",
      "The connection URL of a server to register as region eu, where no region is registered yet. Embedded servers are known without it.",
    )
    .option("--json", "Print one JSON object per step.")
    .action(demo);
  return explain(command, { example: "tenantry demo --url http://127.0.0.1:4000" });
}

type GivenOptions = { url?: string; regionUrl?: string; json?: boolean };
type Options = GivenOptions & { url: string };
type Answer = Record<string, unknown>;

async function demo(given: GivenOptions): Promise<void> {
  if ((await findProject(process.cwd())) !== undefined)
    throw new TenantryError(
      "INVALID_INPUT",
      "The demo plays with the app that ships, and this folder has tables of its own: run it in an empty folder.",
    );
  const options: Options = { ...given, url: given.url ?? `http://127.0.0.1:${readConfig().port}` };
  const play = createPlayer(options);
  const suffix = Date.now().toString(36);

  const ada = await play("Create a user", CREATE_USER, { input: { name: "Ada", email: `ada.${suffix}@example.com` } });
  const bob = await play("Create another", CREATE_USER, { input: { name: "Bob", email: `bob.${suffix}@example.com` } });
  const acme = await play(
    "Create an organization, as Ada, who becomes its owner",
    CREATE_ORGANIZATION,
    { input: { name: `Acme ${suffix}` } },
    id(ada),
  );
  // Ada would have to invite him: she shares no organization with him yet.
  await play("Add Bob to it, as the operator", ADD_MEMBER, {
    input: { organizationId: id(acme), userId: id(bob), role: "MEMBER" },
  });
  const regionKey = await ensureRegion(play, options);
  await play(`Grant it access to region ${regionKey}: a database, replication both ways`, GRANT, {
    input: { organizationId: id(acme), regionKey },
  });
  const home = await play(
    "Create a resource in the default organization",
    CREATE_RESOURCE,
    { input: { name: "Roadmap" } },
    id(ada),
  );
  const away = await play(
    `Create a resource in ${regionKey}`,
    CREATE_RESOURCE,
    { input: { name: "Plans", organizationId: id(acme), regionKey } },
    id(ada),
  );
  await play(
    "Comment on the first",
    COMMENT,
    { input: { resourceId: id(home), body: "Everybody can read this." } },
    id(ada),
  );
  await play(
    "Comment on the second: it never leaves the region",
    COMMENT,
    { input: { resourceId: id(away), body: "Only we can read this." } },
    id(bob),
  );
  await play("Read it all back in one query, as Bob", READ_BACK, { home: id(home), organization: id(acme) }, id(bob));
}

const CREATE_USER = "mutation CreateUser($input: CreateUserInput!) { createUser(input: $input) { id name email } }";
const CREATE_ORGANIZATION =
  "mutation CreateOrganization($input: CreateOrganizationInput!) { createOrganization(input: $input) { id name } }";
const ADD_MEMBER =
  "mutation AddMember($input: AddOrganizationMemberInput!) { addOrganizationMember(input: $input) { role user { name } organization { name } } }";
const REGISTER =
  "mutation RegisterRegion($input: RegisterRegionInput!) { registerRegion(input: $input) { key name server { host port version subscriptionMethod } } }";
const GRANT =
  "mutation Grant($input: GrantRegionAccessInput!) { grantRegionAccess(input: $input) { id state failure database schemaVersion replication { healthy lagBytes } } }";
const CREATE_RESOURCE =
  "mutation CreateResource($input: CreateResourceInput!) { createResource(input: $input) { id name organization { name } region { key } } }";
const COMMENT =
  "mutation Comment($input: CreateCommentInput!) { createComment(input: $input) { id body author { name } resource { name } } }";
const READ_BACK = `query ReadBack($home: ID!, $organization: ID!) {
  me { name }
  resource(id: $home) { name comments { edges { node { body author { name } } } } }
  organization(id: $organization) {
    name
    members { edges { node { role user { name } } } }
    resources { edges { node { name region { key } comments { edges { node { body author { name } } } } } } }
  }
}`;

type Player = (title: string, query: string, variables: object, as?: string) => Promise<Answer>;

/** A function that runs one step, shows it, and returns the field it asked for. Throws when the API refuses. */
function createPlayer({ url, json }: Options): Player {
  let step = 0;
  return async (title, query, variables, as) => {
    step += 1;
    const started = performance.now();
    const body = await send(url, query, variables, as);
    const milliseconds = Math.round(performance.now() - started);
    const message = body.errors?.[0]?.message;
    if (message !== undefined) throw new TenantryError("CONFLICT", `Step ${step}, ${title}: ${message}`);
    const data = body.data ?? {};
    if (json === true) print(JSON.stringify({ step, title, milliseconds, data }));
    else
      print(`${styleText("bold", `${step}. ${title}`)} ${styleText("dim", `(${milliseconds} ms)`)}\n${indent(data)}\n`);
    return (Object.values(data)[0] ?? {}) as Answer;
  };
}

type Body = { data?: Answer; errors?: { message: string }[] };

async function send(url: string, query: string, variables: object, as?: string): Promise<Body> {
  try {
    const response = await fetch(`${url}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json", ...(as === undefined ? {} : { "x-user-id": as }) },
      body: JSON.stringify({ query, variables }),
    });
    return (await response.json()) as Body;
  } catch (cause) {
    throw new TenantryError(
      "REGION_UNAVAILABLE",
      `No Tenantry answers at ${url}: run tenantry start in another terminal first (in a checkout: npx pnpm@12 start).`,
      { cause },
    );
  }
}

/** The key of a region that can be used: one there is, or `eu`, registered now. */
async function ensureRegion(play: Player, { url, regionUrl }: Options): Promise<string> {
  const found = await send(url, "{ regions { key } }", {});
  const regions = (found.data?.["regions"] ?? []) as { key: string }[];
  const known = regions.find(({ key }) => key === "eu") ?? regions[0];
  if (known !== undefined) return known.key;
  const connectionUrl = regionUrl ?? embeddedRegionUrls(readConfig())?.["eu"];
  if (connectionUrl === undefined)
    throw new TenantryError(
      "INVALID_INPUT",
      "No region is registered yet: name a server with --region-url postgres://user:password@host:5432.",
    );
  await play("Register a PostgreSQL server as region eu", REGISTER, {
    input: { key: "eu", name: "Europe", connectionUrl },
  });
  return "eu";
}

function id(answer: Answer): string {
  return String(answer["id"]);
}

function indent(value: unknown): string {
  const text = inspect(value, { depth: null, breakLength: 100, compact: 4, colors: process.stdout.isTTY });
  return text.replaceAll(/^/gm, "   ");
}
