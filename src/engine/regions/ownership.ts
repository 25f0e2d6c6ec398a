/**
 * Which home may write on a region's server. An installation's id is not enough: a dump, a fork or a restored copy of home has
 * the same one, the same secrets, and the addresses of the same servers. So home writes on each server which home it is
 * (engine/regions/mark.ts), and whatever writes there asks here first. A home that finds another one's mark does nothing until
 * a person decides (engine/regions/adopt.ts).
 *
 * A home is its server's system identifier and its database's oid. A standby that takes over has the same two and a later
 * timeline, so it goes on, and the primary that it replaced is refused from then on. A new URL or name changes nothing.
 */
import { createHash, createHmac } from "node:crypto";
import { outsideCalls, withStatementTimeout } from "#base/kernel/call";
import { orLate } from "#base/kernel/wait";
import { TenantryError } from "#base/kernel/errors";
import { SecretBox } from "#base/kernel/secret-box";
import type { BatchStatement } from "#base/postgres/batch";
import type { ServerAddress } from "#base/postgres/connection-url";
import type { Database, DatabaseKind, HomeDatabase } from "#base/postgres/database";
import type { Pools } from "#base/postgres/pools";
import { TIMELINE_SQL } from "#base/postgres/server-history";
import { loadInstallationSecret } from "#engine/home/installation-secret";
import {
  type AdministeredServer,
  API_SECRET,
  type ApiRole,
  ensureApiRole,
  ensureApiRoleAnew,
} from "#engine/regions/api-role";
import {
  databaseOwnerStatement,
  type Mark,
  type Marks,
  marksIn,
  marksStatement,
  ownerIn,
  readMarks,
  replaceMarks,
} from "#engine/regions/mark";
import { NotOwner, refusalOf, rethrowForCaller, rethrowRefusal } from "#engine/regions/not-owner";
import { findRegions, listRegions } from "#engine/regions/regions";
import { regionServer } from "#engine/regions/region-address";
import { MAINTENANCE_DATABASE } from "#engine/servers/server-probe";

type Context = {
  home: HomeDatabase;
  homeAddress: ServerAddress;
  homeDatabaseName: string;
  homeSystemIdentifier: string;
  installation: string;
  pools: Pools;
  secrets: SecretBox;
  apiRole: ApiRole;
  /** Hears, in one sentence, what another home owns, and what this one has got back. */
  report: (sentence: string) => void;
};

/** Home as a mark names it. */
export type HomeIdentity = { owner: string; timeline: string };

/** What a mark says to this home. `EARLIER`: an earlier state of this home wrote it, so this one goes on. */
export type Standing = "OURS" | "EARLIER" | "FREE" | "OTHER";

type ReadMarks = (server: Database<DatabaseKind>, installation: string, owner: string) => Promise<Marks>;

/** What is known of a region, and since when by this process's clock. */
type Seen = { refusal: NotOwner | undefined; at: number };

/** What is known of home's own server stands under this name. */
const HOME = "home";
/** Known for so long, it is looked at again beside what is asked; for longer, before it. */
const FRESH_MS = 10_000;
const MAX_AGE_MS = 60_000;
/** A home that was refused is told the same for so long. */
const REFUSED_MS = 5_000;
/** A single statement of a look. */
const LOOK_MS = 5_000;

export class Ownership {
  readonly #context: Context;
  readonly #key: Buffer;
  readonly #box: SecretBox;
  readonly #seen = new Map<string, Seen>();
  readonly #looks = new Map<string, Promise<void>>();
  readonly #hearers = new Set<(regionId: string) => void>();
  #isTold = false;

  private constructor(context: Context, secret: Buffer) {
    this.#context = context;
    this.#key = secret;
    this.#box = new SecretBox(createHash("sha256").update("owner").update(secret).digest("base64"));
  }

  static async open(context: Context): Promise<Ownership> {
    return new Ownership(
      context,
      await loadInstallationSecret(context.home, context.secrets, "api_secret", API_SECRET),
    );
  }

  /** Hears of regions that this home has lost or got back, until the returned function is called. */
  onChange(hear: (regionId: string) => void): () => void {
    this.#hearers.add(hear);
    return () => this.#hearers.delete(hear);
  }

  /** This home now: another server may answer at its address since the process started. */
  async identity(): Promise<HomeIdentity> {
    const [row] = await this.#context.home.query<{ server: string; database: string; timeline: string }>(
      "home.identity",
      `select (select system_identifier::text from pg_control_system()) as server,
              (select oid::text from pg_catalog.pg_database where datname = current_database()) as database,
              ${TIMELINE_SQL} as timeline`,
    );
    if (row === undefined) throw new Error("home did not say which it is");
    const owner = createHmac("sha256", this.#key)
      .update(`home ${row.server}/${row.database}`)
      .digest("hex")
      .slice(0, 32);
    return { owner, timeline: row.timeline };
  }

  /** A mark of this home. */
  markOf({ owner, timeline }: HomeIdentity, regionId: string | null): Mark {
    const { homeAddress, homeDatabaseName } = this.#context;
    const where = `${homeAddress.host}:${homeAddress.port}/${homeDatabaseName}`.slice(0, 1_000);
    const sealed = this.#box.seal(where, owner).toString("base64");
    return { regionId, owner, timeline, since: new Date().toISOString(), sealed };
  }

  /** Where the home that wrote the mark is, for the operator; undefined where that cannot be read. */
  whereOf({ sealed, owner }: Mark): string | undefined {
    try {
      return this.#box.open(Buffer.from(sealed, "base64"), owner);
    } catch {
      return undefined;
    }
  }

  /**
   * Has whoever writes in the region go on, or throws {@link NotOwner}. Asks home and the region; with `maxAgeMs` not when that
   * was done a moment ago. A server without a mark gets this home's. Throws the driver's errors where it cannot be asked.
   */
  async require(regionId: string, { maxAgeMs = 0 }: { maxAgeMs?: number } = {}): Promise<void> {
    const seen = this.#seen.get(regionId);
    if (seen !== undefined && performance.now() - seen.at < maxAgeMs) return conclude(seen);
    await this.#look(regionId);
  }

  /** The same, and asks the server these statements in the same message. Returns the rows of each. */
  async requireAnd(regionId: string, name: string, statements: readonly BatchStatement[]): Promise<object[][]> {
    let found: object[][] = [];
    await this.#inTime(() =>
      this.#lookNow(regionId, async (server, installation, owner) => {
        const all = [marksStatement(installation, owner), ...statements];
        const [marks = [], ...others] = await server.session((session) => session.batch(name, all));
        found = others;
        return marksIn(marks);
      }),
    );
    return found;
  }

  /** The same for a region and one of its databases, which may have come from another home's server. Returns whether it is there. */
  async requireWithDatabase(regionId: string, database: string): Promise<boolean> {
    const [rows = []] = await this.requireAnd(regionId, "marks.and_database", [databaseOwnerStatement(database)]);
    return this.#requireOwner(database, rows);
  }

  /** The same for who carries a region, and is refused again and again while it is another home's. */
  requireToCarry(regionId: string): Promise<void> {
    const isRefused = this.#seen.get(regionId)?.refusal !== undefined;
    return this.require(regionId, { maxAgeMs: isRefused ? REFUSED_MS : 0 });
  }

  /**
   * The same for content: what was seen within {@link MAX_AGE_MS} counts, and is looked at again beside the work when it is
   * older than {@link FRESH_MS}. Undefined: go on at once. Where the operator's role cannot ask, the API's does. Where neither
   * can, a region goes on that was this home's when it last could be asked (docs/explain/threat-model.md says why).
   */
  requireForContent(regionId: string): Promise<void> | undefined {
    const seen = this.#seen.get(regionId);
    if (seen === undefined) return this.#lookForContent(regionId).catch(rethrowForCaller);
    const age = performance.now() - seen.at;
    // What was refused is asked again however old that is: nothing else would.
    if (age > FRESH_MS && (age <= MAX_AGE_MS || seen.refusal !== undefined))
      this.#lookForContent(regionId).catch(() => undefined);
    if (seen.refusal !== undefined) throw seen.refusal;
    // One that cannot be asked now was ours when it last could.
    return age > MAX_AGE_MS ? this.#lookForContent(regionId).catch(rethrowRefusal) : undefined;
  }

  /** Throws where it is known that another home owns the region. Asks nobody. */
  refuseLost(regionId: string): void {
    const refusal = this.#seen.get(regionId)?.refusal;
    if (refusal !== undefined) throw refusal;
  }

  /** Whether it is known that another home owns the region. */
  isLost(regionId: string): boolean {
    return this.whyLost(regionId) !== undefined;
  }

  /** Why this home may not write there, as far as that is known; without a region: on home's own server. Asks nobody. */
  whyLost(regionId = HOME): string | undefined {
    return this.#seen.get(regionId)?.refusal?.message;
  }

  /** What was refused is asked again: a region changed, or was adopted. */
  forgetRefusals(): void {
    for (const [regionId, { refusal }] of this.#seen) if (refusal !== undefined) this.#seen.delete(regionId);
  }

  /** The same for one tenant database. Returns whether it is there. */
  async requireDatabase(server: Database<"server">, database: string): Promise<boolean> {
    const { text, values } = databaseOwnerStatement(database);
    return this.#requireOwner(database, await server.query("marks.of_database", text, values));
  }

  async #requireOwner(database: string, rows: readonly object[]): Promise<boolean> {
    const { owner } = await this.identity();
    const found = ownerIn(rows);
    if (found !== undefined && found.owner !== null && found.owner !== owner)
      throw new NotOwner(
        `The database ${database} on the region's server belongs to another home: the operator decides with tenantry adopt.`,
      );
    return found !== undefined;
  }

  /** Whether this home owns its own server, where a copy of home may be another database; claims it where nobody does. */
  async requireHome(): Promise<void> {
    const { home, homeAddress: address, homeDatabaseName, homeSystemIdentifier } = this.#context;
    const at = { server: home, address, systemIdentifier: homeSystemIdentifier, database: homeDatabaseName };
    await this.#noting(HOME, () => this.#requireAt(at, null, "home's server"));
  }

  /**
   * Looks at home's server and at every region once. One that cannot be reached is looked at when it is needed. `says`: from now
   * on, whatever another home owns is reported. Never rejects.
   */
  async lookAround({ says = false }: { says?: boolean } = {}): Promise<void> {
    this.#isTold ||= says;
    await this.requireHome().catch(() => undefined);
    const regions = await listRegions(this.#context).catch(() => []);
    await Promise.all(regions.map(({ id }) => this.#look(id).catch(() => undefined)));
  }

  /**
   * What this home left on a server that a person names; a mark says which region it is. Throws {@link NotOwner} for another
   * home's.
   */
  async recognise(server: Database<DatabaseKind>): Promise<Marks> {
    const identity = await this.identity();
    const marks = await readMarks(server, this.#context.installation, identity.owner);
    if (this.standingOf(marks, identity) === "OTHER") throw refusalOf("the server", marks, identity);
    return marks;
  }

  /** Marks a server as the region that it is to be, if these marks still are what is there, and makes the API's role there where nobody tried it a moment ago. */
  async claim(at: AdministeredServer, regionId: string, marks: Marks): Promise<void> {
    const { pools, apiRole } = this.#context;
    await ensureApiRole(pools, apiRole, at);
    await this.#requireAt(at, regionId, "the server", () => Promise.resolve({ ...marks, hasRole: true }));
  }

  /** What the marks on a server say to this home. */
  standingOf({ text, mark, foreign }: Marks, { owner, timeline }: HomeIdentity): Standing {
    if (text === null) return foreign.length === 0 ? "FREE" : "OTHER";
    if (mark === undefined || mark.owner !== owner || mark.timeline > timeline) return "OTHER";
    return mark.timeline < timeline ? "EARLIER" : "OURS";
  }

  /** One at a time for each region. */
  #look(regionId: string): Promise<void> {
    const running = this.#looks.get(regionId);
    if (running !== undefined) return running;
    // Of no call, as whoever asks next shares it.
    const look = outsideCalls(() => this.#inTime(() => this.#lookNow(regionId))).finally(() =>
      this.#looks.delete(regionId),
    );
    this.#looks.set(regionId, look);
    return look;
  }

  /** None waits for ever. */
  #inTime(look: () => Promise<void>): Promise<void> {
    return orLate(
      withStatementTimeout(LOOK_MS, look),
      2 * LOOK_MS,
      () => new Error("connection timeout: the server did not say whose it is"),
    );
  }

  async #lookNow(regionId: string, read?: ReadMarks): Promise<void> {
    const { home, secrets, pools } = this.#context;
    const { key, address, systemIdentifier } = await regionServer({ home, secrets }, regionId);
    const database = MAINTENANCE_DATABASE;
    const server = pools.open("server", address, database);
    await this.#noting(regionId, () =>
      this.#requireAt({ server, address, systemIdentifier, database }, regionId, `the region ${key}`, read),
    );
  }

  /** What the operator's role may do there, content does not need: a password that was changed is no outage. */
  async #lookForContent(regionId: string): Promise<void> {
    try {
      await this.#look(regionId);
    } catch (error) {
      if (error instanceof TenantryError || !(await this.#isOursToApi(regionId).catch(rethrowRefusal))) throw error;
    }
  }

  /** By the mark as the API's role reads it. Throws {@link NotOwner} for another home's. */
  async #isOursToApi(regionId: string): Promise<boolean> {
    const { home, secrets, pools, apiRole, installation } = this.#context;
    const { key, address, systemIdentifier } = await regionServer({ home, secrets }, regionId);
    const identity = await this.identity();
    const api = apiRole.on(address, systemIdentifier);
    const marks = await pools.once(
      api,
      MAINTENANCE_DATABASE,
      (server) => readMarks(server, installation, identity.owner),
      { forCallers: true },
    );
    await this.#noting(regionId, () => {
      if (this.standingOf(marks, identity) !== "OTHER") return Promise.resolve();
      return Promise.reject(refusalOf(`the region ${key}`, marks, identity));
    });
    return marks.mark?.regionId === regionId;
  }

  async #noting(regionId: string, look: () => Promise<void>): Promise<void> {
    try {
      await look();
      this.#note(regionId, undefined);
    } catch (error) {
      if (error instanceof NotOwner) this.#note(regionId, error);
      throw error;
    }
  }

  /** `region`: which one it is to be; null: home's server, whichever region it is. */
  async #requireAt(
    at: AdministeredServer,
    region: string | null,
    what: string,
    read: ReadMarks = readMarks,
  ): Promise<void> {
    const { installation, apiRole, pools } = this.#context;
    const identity = await this.identity();
    const marks = await read(at.server, installation, identity.owner);
    const standing = this.standingOf(marks, identity);
    if (standing === "OTHER") throw refusalOf(what, marks, identity);
    if (region !== null) await this.#requireSame(marks, at, region);
    const regionId = region ?? marks.mark?.regionId ?? null;
    if (standing === "OURS" && marks.mark?.regionId === regionId) return;
    if (!marks.hasRole) await ensureApiRoleAnew(pools, apiRole, at);
    // Only on what was seen: of two homes that find a server without a mark, one gets it.
    await replaceMarks(at.server, installation, this.markOf(identity, regionId), marks.text);
  }

  /**
   * CONFLICT when another server than the region's answers. A mark says which region a server is, whatever its identifier has
   * become; where it names none, the identifier has to be the one that home knows.
   */
  async #requireSame({ mark, systemIdentifier }: Marks, known: AdministeredServer, regionId: string): Promise<void> {
    const marked = mark?.regionId ?? null;
    if (marked === null ? systemIdentifier === known.systemIdentifier : marked === regionId) return;
    // A region that home has forgotten, or whose registering came to nothing.
    if (marked !== null && systemIdentifier === known.systemIdentifier) {
      const [other] = await findRegions(this.#context, [marked]);
      if (other === undefined) return;
    }
    throw new TenantryError("CONFLICT", "Another server answers at the region's address.");
  }

  #note(regionId: string, refusal: NotOwner | undefined): void {
    const before = this.#seen.get(regionId);
    this.#seen.set(regionId, { refusal, at: performance.now() });
    if ((before?.refusal === undefined) === (refusal === undefined)) return;
    if (this.#isTold && (refusal !== undefined || before !== undefined))
      this.#context.report(refusal?.message ?? "This home owns a server again that another home owned.");
    for (const hear of this.#hearers) hear(regionId);
  }
}

function conclude({ refusal }: Seen): void {
  if (refusal !== undefined) throw refusal;
}
