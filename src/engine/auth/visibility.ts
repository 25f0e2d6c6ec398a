/**
 * What an actor may see at home, as conditions in SQL. The parameter holds `viewerId` of the actor: null, the operator,
 * sees all.
 */

/** Of organizations: those in which the viewer has a role. Both are expressions or parameters of the statement. */
export function seesOrganization(organizationId: string, viewer: string): string {
  return `(${viewer}::uuid is null or exists (
    select from tenantry.roles s where s.organization_id = ${organizationId} and s.holder_id = ${viewer}))`;
}

/** Of people: themselves, and those of their organizations. */
export function seesPerson(userId: string, viewer: string): string {
  return `(${viewer}::uuid is null or ${userId} = ${viewer} or exists (
    select from tenantry.roles mine join tenantry.memberships theirs using (organization_id)
    where mine.holder_id = ${viewer} and theirs.user_id = ${userId}))`;
}
