/** What a team's own server imports. docs/reference/library.md shows it. */
export { type ErrorCode, TenantryError } from "#base/kernel/errors";
export type { Page } from "#base/kernel/page";
export type { Lag } from "#engine/links/visible-writes";
export type { Actor } from "#library/actor";
export type { Members, Membership, Role } from "#library/members";
export type { Organization, Organizations } from "#library/organizations";
export type { PageInput } from "#library/pages";
export type { GrantInput, Isolation, Placement, Placements, PlacementState, RevokeInput } from "#library/placements";
export { readTenantSchema, type TenantSchema } from "#library/tenant-schema";
export type { RunOptions, Tenant, TenantTransaction, TransactionOptions } from "#library/tenant";
export { createTenantry, type TenantInput, type Tenantry, type TenantryOptions } from "#library/tenantry";
export type { User, Users } from "#library/users";
