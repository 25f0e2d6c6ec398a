/** The border as the rest of the program sees it: what subscribers are told, and the gateway of this process. */
import { type GatewayAddress, connectionOf, formatGatewayAddress, parseGatewayAddress } from "#engine/border/address";
import { BORDER_SECRET, LinkPasswords } from "#engine/border/credentials";
import { loadInstallationSecret } from "#engine/home/installation-secret";
import { TenantryError } from "#base/kernel/errors";
import type { SecretBox } from "#base/kernel/secret-box";
import type { HomeDatabase } from "#base/postgres/database";
import type { Told } from "#engine/replication/link";
import { type Direction, linkName, moveLinkName } from "#engine/replication/names";

/** How each side reaches the gateway. */
export type GatewayAddresses = {
  /** The regions' servers, which subscribe to directories. */
  regions: GatewayAddress;
  /** Home's server, which subscribes to catalogs. */
  home: GatewayAddress;
};

/** What each link of a tenant database was told before, as far as home knows, and the generation of its passwords. */
export type ToldBefore = { generation: number } & Record<Direction, string | null>;

export class Border {
  readonly #home: HomeDatabase;
  readonly #installation: string;
  readonly #passwords: LinkPasswords;
  #addresses: GatewayAddresses | undefined;

  private constructor(home: HomeDatabase, installation: string, passwords: LinkPasswords) {
    this.#home = home;
    this.#installation = installation;
    this.#passwords = passwords;
  }

  static async open(home: HomeDatabase, installation: string, secrets: SecretBox): Promise<Border> {
    const secret = await loadInstallationSecret(home, secrets, "border_secret", BORDER_SECRET);
    return new Border(home, installation, new LinkPasswords(secret));
  }

  /** The subscribers of links that this process carries are told these, and so are those of processes without a gateway. */
  async setAddresses(addresses: GatewayAddresses): Promise<void> {
    this.#addresses = addresses;
    await this.#home.query(
      "gateway.record",
      `update tenantry.installation set gateway_address = $1, gateway_home_address = $2
       where (gateway_address, gateway_home_address) is distinct from ($1, $2)`,
      [formatGatewayAddress(addresses.regions), formatGatewayAddress(addresses.home)],
    );
  }

  /** CAPABILITY_MISSING when no process with a gateway has run yet. */
  async addresses(): Promise<GatewayAddresses> {
    if (this.#addresses !== undefined) return this.#addresses;
    const [row] = await this.#home.query<{ regions: string | null; home: string | null }>(
      "gateway.read",
      `select gateway_address as regions, gateway_home_address as home from tenantry.installation`,
    );
    if (row?.regions == null || row.home === null)
      throw new TenantryError(
        "CAPABILITY_MISSING",
        "No gateway has run yet: start Tenantry, in the role all or worker, and try again.",
      );
    return {
      regions: parseGatewayAddress(row.regions, "gateway_address"),
      home: parseGatewayAddress(row.home, "gateway_home_address"),
    };
  }

  passwordOf(databaseId: number, direction: Direction, generation: number): string {
    return this.#passwords.of(linkName(this.#installation, databaseId, direction), generation);
  }

  /**
   * Of the stream of a move. The database that subscribes is a part of it: a placement may move to another one later, and the name stays.
   */
  passwordOfMove(publisher: number, number: number, subscriber: number, generation: number): string {
    return this.#passwords.of(`${moveLinkName(this.#installation, publisher, number)} into ${subscriber}`, generation);
  }

  /** What the subscriber of a move is to be told. */
  tellMove(
    { regions }: GatewayAddresses,
    { publisher, number, subscriber }: { publisher: number; number: number; subscriber: number },
    generation: number,
  ): Told {
    const password = this.passwordOfMove(publisher, number, subscriber, generation);
    const connection = connectionOf(regions, moveLinkName(this.#installation, publisher, number), password);
    return { connection, mark: this.#passwords.markOf(connection) };
  }

  /** What home gives a region to keep for it, as proof that it was home's. The secret is in every backup of home. */
  proofOf(text: string): Buffer {
    return this.#passwords.proofOf(text);
  }

  /** What the subscriber of a link is to be told. */
  tell(addresses: GatewayAddresses, databaseId: number, direction: Direction, generation: number): Told {
    const address = direction === "directory" ? addresses.regions : addresses.home;
    const name = linkName(this.#installation, databaseId, direction);
    const connection = connectionOf(address, name, this.passwordOf(databaseId, direction, generation));
    return { connection, mark: this.#passwords.markOf(connection) };
  }

  /** Reads what the links of a tenant database were told, and with which generation of passwords. */
  async toldBefore(databaseId: number): Promise<ToldBefore> {
    const [row] = await this.#home.query<ToldBefore>(
      "links.told",
      `select d.credential_generation as generation,
              (select told from tenantry.links l where l.database_id = d.id and l.direction = 'directory') as directory,
              (select told from tenantry.links l where l.database_id = d.id and l.direction = 'catalog') as catalog
       from tenantry.tenant_databases d where d.id = $1`,
      [databaseId],
    );
    return row ?? { generation: FIRST_GENERATION, directory: null, catalog: null };
  }
}

/** No tenant database has this number: its links are there to be tried, and stream nothing. */
export const TRIED_DATABASE = 0;

/** Tenant databases begin with it; links that are there to be tried always have it. */
export const FIRST_GENERATION = 1;
