/**
 * What a team needs to write a module of the API: shapes and the fields that read, list and write them, rules for who may, and
 * the builder for everything else. A module of an application imports this and the engine's services, and nothing else of
 * the API.
 */
export type { Actor } from "#engine/auth/actor";
export { userIdOf } from "#engine/auth/actor";
export {
  asParent,
  callers,
  everybody,
  inOrganization,
  listed,
  operatorOnly,
  type OrganizationAction,
  type Policy,
  type Row,
  row,
  type Rule,
} from "#engine/auth/policy-table";
export { invalidInput, notFound, TenantryError } from "#base/kernel/errors";
export type { Page, PageRequest } from "#base/kernel/page";
export { validBody, validId, validName } from "#base/kernel/validation";
export type { AuditRule } from "#api/graphql/policy/audit-rule";
export { type Builder, perSchema } from "#api/graphql/builder";
export { connectionType, distantConnectionType, pageArguments, type TypeRef } from "#api/graphql/connections";
export type { GraphQLContext } from "#api/graphql/context";
export { type Application, defineApp, type JourneyStep } from "#api/graphql/define-app";
export { readCatalog, sayLate } from "#api/graphql/lag";
export { byPage, defineLoaders, type LoaderDefinition, type PageLoader } from "#api/graphql/loaders";
export { defineModule, type DefineTypes, type Module, type Part } from "#api/graphql/module";
export { listCatalog, listCatalogOfOrganization } from "#api/graphql/shapes/catalog";
export { content } from "#api/graphql/shapes/content";
export { type Caller, create, type NewRow } from "#api/graphql/shapes/create";
export { boolean, id, int, member, organization, region, text, time, uuid } from "#api/graphql/shapes/fields";
export { followAdded } from "#api/graphql/shapes/follow";
export { readById } from "#api/graphql/shapes/read-by-id";
export { readRows, requireRow } from "#api/graphql/shapes/rows";
export { page, type RowOf, type Shape, shape } from "#api/graphql/shapes/shape";
export { choosePlace, findPlace, type Place } from "#engine/routing/location";
