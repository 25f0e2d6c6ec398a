/**
 * What belongs to another organization is not there. Random operations of one organization's people and keys, with ids of the
 * others wherever an id goes: nothing of the others is said, nothing of theirs changes, and each answer is the one for an id
 * of nothing. On the app that ships and, with fewer probes, on a team's own. FUZZ_SEED repeats a run, FUZZ_PROBES makes it
 * longer, for both apps.
 */
import { randomInt } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { serverUrl, sql } from "../support/app.ts";
import { firstAnswer } from "../support/follow.ts";
import { addMember } from "../support/journey.ts";
import { type Person, type SignedInApp, startSignedInApp } from "../support/organization-fixture.ts";
import { cursor, type Known, type Probe, Prober, withTwins } from "../support/probe.ts";
import { INVOICES, type Populated, type ProbedApp, SHIPPED } from "../support/probed-apps.ts";
import { Random } from "../support/random.ts";
import { postAs } from "../support/signed-in.ts";

const SEED = Number(process.env["FUZZ_SEED"] ?? randomInt(2 ** 31));
/** In each tier, of which there are two. */
const probesOf = ({ share }: ProbedApp) => Number(process.env["FUZZ_PROBES"] ?? 10_000 * share) / 2;
/** Asked in one request, each with its twin: with room below a limit of 15. */
const BATCH = 6;
const AT_ONCE = 4;

type Answered = { data?: Record<string, unknown> | null; errors?: { path?: (string | number)[] }[] };

const CASES = [SHIPPED, INVOICES].flatMap((probed) =>
  ["DEDICATED", "SHARED"].map((isolation) => ({ probed, isolation })),
);

describe.each(CASES)("$probed.name, in placements of isolation $isolation", ({ probed, isolation }) => {
  const count = probesOf(probed);
  let app: SignedInApp;
  let own: Populated;
  let others: Populated[];
  let loner: Person;
  let speaker: Person;
  let theirs: RegExp;

  beforeAll(async () => {
    app = await startSignedInApp(probed.application);
    const eu = { regionKey: "eu", regionUrl: serverUrl("eu"), isolation };
    own = await probed.populate(app, { marker: "aster-19", ...eu });
    others = [
      // One on the same server, one on another.
      await probed.populate(app, { marker: "borage-57", ...eu }),
      await probed.populate(app, { marker: "cedar-83", regionKey: "us", regionUrl: serverUrl("us"), isolation }),
    ];
    loner = await app.person("Loner");
    // In the default organization people are known by name, and by nothing else.
    speaker = await app.person("Speaker");
    await addMember(app.setup, others[0]?.id ?? "", speaker.id);
    await probed.speak?.(app, speaker.id);
    const ids = others.flatMap((one) => Object.values(knownOf(one).ids).flat());
    // A shared database's name is the own one's too.
    const databases = others.map(({ database }) => database).filter((database) => database !== own.database);
    const said = [...others.map(({ marker }) => marker), ...databases.map((database) => `${database}(?![0-9])`)];
    const addresses = others.flatMap(({ people }) => Object.values(people).map(({ email }) => email));
    theirs = new RegExp([speaker.email, ...addresses, ...said, ...ids, ...ids.map(cursor)].join("|"), "gi");
  });
  afterAll(() => app.stop());

  /** Fails when the answer has anything of the others that was not in the question. */
  function expectNothingOfTheirs(question: string, answer: unknown): void {
    const text = JSON.stringify(answer);
    const said = [...text.matchAll(theirs)].map(([match]) => match).filter((match) => !question.includes(match));
    if (said.length > 0) throw new Error(`seed ${SEED}: ${said.join(", ")} was said\n${question}\n${text}`);
  }

  /** Fails unless what came of a probe is what comes of the same with ids of nothing. */
  function expectTheSame({ text, theirs: ids }: Probe, answer: unknown, ofTwin: unknown): void {
    const [is, should] = [withTwins(stableText(answer), ids), stableText(ofTwin)];
    if (is !== should) throw new Error(`seed ${SEED}: told apart from nothing\n${text}\n${is}\n${should}`);
  }

  test(`${count} random probes find and change nothing of the others (FUZZ_SEED=${SEED})`, {
    timeout: 300_000,
  }, async () => {
    const random = new Random(SEED);
    const prober = new Prober(probed.schema, random, knownOf(own), others.map(knownOf));
    const tokens = [
      ...Object.values(own.people).map(({ token }) => token),
      ...Object.values(own.keys).map(({ token }) => token),
      loner.token,
    ];
    const before = await everything(app, probed, others);
    const asked = new Map<string, number>();
    const send = async (token: string, operation: string, text: string): Promise<Answered> => {
      const query = `${operation} { ${text} }`;
      const { data, errors } = await postAs(app.api, token, query);
      expectNothingOfTheirs(query, { data, errors });
      return errors === undefined ? { data } : { data, errors: errors as NonNullable<Answered["errors"]> };
    };
    const together = async (token: string, probes: readonly Probe[]) => {
      const texts = probes.flatMap(({ text, theirs: ids }, i) => [`p${i}: ${text}`, `t${i}: ${withTwins(text, ids)}`]);
      const answer = await send(token, "query", texts.join("\n"));
      for (const [i, probe] of probes.entries()) expectTheSame(probe, partOf(answer, `p${i}`), partOf(answer, `t${i}`));
    };
    const alone = async (token: string, probe: Probe) => {
      const { operation, text } = probe;
      const ask = (one: string) => {
        const query = `${operation} { p: ${one} }`;
        return operation === "subscription"
          ? firstAnswer(app.api, token, { query, variables: {} })
          : send(token, operation, `p: ${one}`);
      };
      const [answer, ofTwin] = [await ask(text), await ask(withTwins(text, probe.theirs))];
      expectNothingOfTheirs(text, answer);
      expectTheSame(probe, partOf(answer as Answered, "p"), partOf(ofTwin as Answered, "p"));
      if (operation !== "query" && answer.errors === undefined) throw new Error(`seed ${SEED}: went through\n${text}`);
    };
    let left = count;
    const work = async () => {
      while (left > 0) {
        const probes = Array.from({ length: Math.min(BATCH, left) }, () => prober.next());
        left -= probes.length;
        const token = random.pick(tokens);
        for (const { field } of probes) asked.set(field, (asked.get(field) ?? 0) + 1);
        const beside = probes.filter(({ operation, isNullable }) => operation === "query" && isNullable);
        if (beside.length > 0) await together(token, beside);
        for (const probe of probes.filter((one) => !beside.includes(one))) await alone(token, probe);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    expect(await everything(app, probed, others)).toEqual(before);
    // Each way in that takes an id was tried often.
    const ways = ["user", "organization", "placement", "apiKeys", "jobs"];
    const changes = ["addOrganizationMember", "revokeApiKey", "leaveOrganization"];
    changes.push("renameOrganization", "transferOwnership", "deleteOrganization");
    for (const field of [...ways, ...changes, ...probed.ways])
      expect(asked.get(field) ?? 0, field).toBeGreaterThan(count / 2_000);
  });

  test("the probes would find what is there", async () => {
    // The same questions by whom it belongs to: what the probes look for is in the answers.
    const [other] = others;
    if (other === undefined) throw new Error("nobody");
    const prober = new Prober(probed.schema, new Random(SEED), knownOf(own), [knownOf(other)]);
    const found = new Set<string>();
    for (let round = 0; found.size < 4 && round < 500; round += 1) {
      const { operation, text, field } = prober.next();
      if (operation !== "query") continue;
      const { data } = await postAs(app.api, other.people.OWNER.token, `{ ${text} }`);
      if (JSON.stringify(data ?? null).includes(other.marker)) found.add(field);
    }
    expect(found.size).toBeGreaterThanOrEqual(4);
  });

  test("inviting an address says nothing of whose it is", async () => {
    const query =
      "mutation ($input: InviteMemberInput!) { inviteMember(input: $input) { role organization { name } } }";
    const invite = (email: string) =>
      postAs(app.api, own.people.ADMIN.token, query, { input: { organizationId: own.id, email, role: "MEMBER" } });
    const known = await invite(others[0]?.people.OWNER.email ?? "");
    expect(known.data).toEqual((await invite("nobody.at.all@example.com")).data);
    expect(known.errors).toBeUndefined();
  });

  test.for(probed.follows)("who is removed while following $field hears no more", async ({ query, row, add }) => {
    const leaver = await app.person("Leaver");
    await addMember(app.setup, own.id, leaver.id);
    let isOut = false;
    const variables = { id: own.rows[row] };
    const answer = await firstAnswer(app.api, leaver.token, { query, variables }, async () => {
      if (!isOut) {
        const { removeOrganizationMember } = await app.setup.ask(
          "mutation ($input: RemoveOrganizationMemberInput!) { removeOrganizationMember(input: $input) { id } }",
          { input: { organizationId: own.id, userId: leaver.id } },
        );
        isOut = removeOrganizationMember.id === own.id;
      }
      await add(app, own, "Not for who is out");
    });
    expect(answer.errors?.[0]?.extensions.code).toBe("NOT_FOUND");
    expect(JSON.stringify(answer)).not.toContain("Not for who is out");
  });
});

function knownOf(content: Populated): Known {
  const rows = Object.entries(content.rows).map(([kind, id]) => [kind, [id]]);
  return {
    ids: {
      ...Object.fromEntries(rows),
      organization: [content.id],
      user: Object.values(content.people).map(({ id }) => id),
      placement: [content.placement],
      key: Object.values(content.keys).map(({ id }) => id),
      invitation: [content.invitation],
      job: content.jobs,
    },
    texts: {
      confirm: [content.name],
      name: ["Changed"],
      email: Object.values(content.people).map(({ email }) => email),
      token: [content.invitationToken],
      key: [content.regionKey],
      regionKey: [content.regionKey],
      body: ["Written by a stranger"],
      text: ["Written by a stranger"],
      number: ["WRITTEN-BY-A-STRANGER"],
      connectionUrl: ["postgres://nobody@127.0.0.1:1"],
    },
  };
}

/** What an answer says of one of the things asked. */
function partOf({ data, errors }: Answered, alias: string): unknown {
  const own = (errors ?? [])
    .filter(({ path }) => path === undefined || path[0] === alias)
    .map(({ path, ...error }) => JSON.stringify({ ...error, locations: undefined, path: path?.slice(1) }));
  return { data: data?.[alias] ?? null, errors: own.toSorted() };
}

/** As text, without what differs from one moment to the next. */
function stableText(answer: unknown): string {
  return (
    JSON.stringify(answer)
      .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "time")
      // Sealed: another each time.
      .replaceAll(/"A[g-v][\w-]{100,}"/g, "cursor")
      .replaceAll(/\\?"requestId\\?":\\?"[\w-]+\\?"/g, "request")
      .replaceAll(/"(healthy|parked)":(true|false)|"lagBytes":(\d+|null)/g, "lag")
  );
}

/** All that is stored, at home and in the others' databases, as digests. When a key was last used is nobody's content. */
async function everything(
  app: SignedInApp,
  { catalog, tables }: ProbedApp,
  others: readonly Populated[],
): Promise<Record<string, unknown>> {
  const digest = async (url: string, table: string) => {
    const [row] = await sql(
      url,
      `select count(*)::int as rows, md5(coalesce(string_agg(text, '|' order by text), '')) as digest
       from (select (to_jsonb(t) - 'last_used_at')::text as text from ${table} t) rows`,
    );
    return row;
  };
  const atHome = ["users", "identities", "organizations", "memberships", "invitations", "api_keys", "regions"];
  atHome.push("placements", "tenant_databases", "jobs", "directory_members");
  const found: Record<string, unknown> = {};
  for (const table of [...atHome.map((name) => `tenantry.${name}`), ...catalog, ...tables])
    found[table] = await digest(app.setup.databaseUrl, table);
  for (const { database, regionKey } of others)
    for (const table of [...tables, "tenantry.directory_members"])
      found[`${database} ${table}`] = await digest(`${serverUrl(regionKey as "eu" | "us")}/${database}`, table);
  return found;
}
