/**
 * The data that the API is measured with: 50 organizations in one region's shared database, 1,000 users, 5,000 resources with
 * 30 comments of about 115 characters each.
 */
import { OPERATOR } from "../src/engine/auth/actor.ts";
import { createApiKey } from "../src/engine/auth/api-keys.ts";
import { createOrganization } from "../src/engine/home/organizations.ts";
import { registerRegion } from "../src/engine/regions/register-region.ts";
import { newId, newRoutedId } from "../src/base/kernel/ids.ts";
import { waitFor } from "../src/base/kernel/wait.ts";
import { grantRegionAccess } from "../src/engine/placements/grant-region-access.ts";
import type { Services } from "../src/engine/services.ts";
import { connected, sql } from "./servers.ts";

export const WORKLOAD = { organizations: 50, users: 1_000, resources: 5_000, comments: 30 };

/** What can be asked for. `key` signs in for the resource's organization. */
export type Target = { resourceId: string; authorId: string; key: string };

type Tenant = { organizationId: string; number: number; databaseId: number; key: string; members: string[] };

/** Makes the data and returns the targets and the tenant database's name. */
export async function furnish(
  services: Services,
  { homeUrl, regionUrl }: { homeUrl: string; regionUrl: (database?: string) => string },
): Promise<{ targets: Target[]; database: string }> {
  await registerRegion(services, OPERATOR, { key: "bench", name: "Bench", connectionUrl: regionUrl() });
  const tenants: Tenant[] = [];
  let database = "";
  for (let index = 0; index < WORKLOAD.organizations; index += 1) {
    const { id: organizationId } = await createOrganization(services, OPERATOR, { name: `Organization ${index}` });
    const placement = await grantUntilActive(services, { organizationId, regionKey: "bench", isolation: "SHARED" });
    database = placement.database;
    const options = { name: "Bench", organizationId, role: "MEMBER", expiresInDays: 1 } as const;
    const { secret } = await createApiKey(services, OPERATOR, options);
    const { number, databaseId } = placement;
    tenants.push({ organizationId, number, databaseId, key: secret, members: [] });
  }
  await addUsers(homeUrl, tenants);
  const targets = await addContent(regionUrl(database), tenants);
  await untilCarried(homeUrl, regionUrl(database));
  return { targets, database };
}

/** A grant returns after 5 s with the state reached; the same placement when it is called again. */
export async function grantUntilActive(
  services: Services,
  input: Parameters<typeof grantRegionAccess>[2],
): ReturnType<typeof grantRegionAccess> {
  let placement = await grantRegionAccess(services, OPERATOR, input);
  for (let again = 0; placement.state === "PROVISIONING" && again < 12; again += 1)
    placement = await grantRegionAccess(services, OPERATOR, input);
  if (placement.state !== "ACTIVE") throw new Error(`the placement is ${placement.state}: ${placement.failure}`);
  return placement;
}

async function addUsers(homeUrl: string, tenants: readonly Tenant[]): Promise<void> {
  const users = Array.from({ length: WORKLOAD.users }, (_, index) => {
    const tenant = tenants[index % tenants.length];
    const id = newId();
    tenant?.members.push(id);
    return { id, organizationId: tenant?.organizationId ?? "", name: `User ${index}` };
  });
  await connected(homeUrl, async (client) => {
    await client.query(
      `insert into tenantry.users (id, name, email)
       select u.id, u.name, u.id || '@example.com' from unnest($1::uuid[], $2::text[]) as u (id, name)`,
      [users.map(({ id }) => id), users.map(({ name }) => name)],
    );
    await client.query(
      `insert into tenantry.memberships (organization_id, user_id, role)
       select m.organization_id, m.user_id, 'MEMBER' from unnest($1::uuid[], $2::uuid[]) as m (organization_id, user_id)`,
      [users.map(({ organizationId }) => organizationId), users.map(({ id }) => id)],
    );
  });
}

async function addContent(url: string, tenants: readonly Tenant[]): Promise<Target[]> {
  const targets: Target[] = [];
  await connected(url, async (client) => {
    for (const { organizationId, number, databaseId, key, members } of tenants) {
      const count = WORKLOAD.resources / WORKLOAD.organizations;
      const resources = Array.from({ length: count }, () => newRoutedId(number));
      await client.query(
        `insert into app.resources (database_id, id, organization_id, name)
         select $1, r.id, $2, 'Resource ' || r.id from unnest($3::uuid[]) as r (id)`,
        [databaseId, organizationId, resources],
      );
      const comments = resources.flatMap((resourceId) =>
        Array.from({ length: WORKLOAD.comments }, (_, index) => ({
          id: newRoutedId(number),
          resourceId,
          authorId: members[index % members.length] ?? "",
        })),
      );
      await client.query(
        `insert into app.comments (id, database_id, organization_id, resource_id, author_id, body)
         select c.id, $1, $2, c.resource_id, c.author_id, left(repeat('A note about what was seen today. ', 4), 115)
         from unnest($3::uuid[], $4::uuid[], $5::uuid[]) as c (id, resource_id, author_id)`,
        [
          databaseId,
          organizationId,
          comments.map(({ id }) => id),
          comments.map(({ resourceId }) => resourceId),
          comments.map(({ authorId }) => authorId),
        ],
      );
      for (const resourceId of resources) targets.push({ resourceId, authorId: members[0] ?? "", key });
    }
    await client.query("analyze");
  });
  return targets;
}

/** Until members are in the region and resources at home. */
async function untilCarried(homeUrl: string, tenantUrl: string): Promise<void> {
  const count = async (url: string, table: string) =>
    Number((await sql<{ count: string }>(url, `select count(*) from ${table}`))[0]?.count);
  const done = await waitFor(
    async () =>
      (await count(tenantUrl, "tenantry.directory_members")) === WORKLOAD.users &&
      (await count(homeUrl, "catalog.resources")) === WORKLOAD.resources
        ? true
        : undefined,
    { timeoutMs: 600_000, pauseMs: 1_000 },
  );
  if (done === undefined) throw new Error("the data did not arrive");
}
