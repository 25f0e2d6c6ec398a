/** Who belongs to it with which role, and who is invited. */
import { getRouteApi } from "@tanstack/react-router";
import { graphql, type ResultOf } from "../../api/graphql.ts";
import { usePages } from "../../api/use-pages.ts";
import { ROLES } from "../../api/words.ts";
import { FilterText, SelectField } from "../../ui/fields.tsx";
import { sentenceCase } from "../../ui/format.ts";
import { List } from "../../ui/list.tsx";
import { Panel } from "../../ui/page.tsx";
import { Empty } from "../../ui/states.tsx";
import { Ago } from "../../ui/time.tsx";
import type { Column } from "../../ui/table.tsx";

const MEMBERS = graphql(`
  query Members($id: ID!, $first: Int, $after: String, $name: String, $role: Role) {
    organization(id: $id) {
      members(first: $first, after: $after, name: $name, role: $role) {
        edges { node { id role joinedAt user { id name email } } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
`);

const INVITATIONS = graphql(`
  query Invitations($id: ID!, $first: Int, $after: String) {
    organization(id: $id) {
      invitations(first: $first, after: $after) {
        edges { node { id email role createdAt expiresAt } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
`);

type Organization<Of> = NonNullable<Of extends { organization: infer One } ? One : never>;
type Member = Organization<ResultOf<typeof MEMBERS>>["members"]["edges"][number]["node"];
type Invitation = Organization<ResultOf<typeof INVITATIONS>>["invitations"]["edges"][number]["node"];

const route = getRouteApi("/organizations/$id");
const ROLE_CHOICES = ROLES.map((value) => ({ value, name: sentenceCase(value) }));

const MEMBER_COLUMNS: readonly Column<Member>[] = [
  { name: "Name", cell: ({ user }) => user.name },
  { name: "Address", cell: ({ user }) => user.email },
  { name: "Role", kind: "tight", cell: ({ role }) => sentenceCase(role) },
  { name: "Since", kind: "number", cell: ({ joinedAt }) => <Ago at={joinedAt} /> },
];

const INVITATION_COLUMNS: readonly Column<Invitation>[] = [
  { name: "Address", cell: ({ email }) => email },
  { name: "Role", kind: "tight", cell: ({ role }) => sentenceCase(role) },
  { name: "Sent", kind: "number", cell: ({ createdAt }) => <Ago at={createdAt} /> },
  { name: "Good until", kind: "number", cell: ({ expiresAt }) => <Ago at={expiresAt} /> },
];

export function Members({ organizationId: id, mayManage }: { organizationId: string; mayManage: boolean }) {
  const { member, role } = route.useSearch();
  const variables = { id, name: member ?? null, role: role ?? null };
  const pages = usePages("organizations", MEMBERS, variables, ({ organization }) => organization?.members ?? null);
  return (
    <>
      <Panel title="Members" flush actions={<Filters />}>
        <List
          label="Members"
          noun="member"
          pages={pages}
          columns={MEMBER_COLUMNS}
          rowKey={(row) => row.id}
          empty={
            <Empty title="There is no member like this">
              Without members only the operator and its keys act for an organization.
            </Empty>
          }
        />
      </Panel>
      {mayManage && <Invitations id={id} />}
    </>
  );
}

function Filters() {
  const { member, role } = route.useSearch();
  const navigate = route.useNavigate();
  return (
    <div className="filters">
      <FilterText
        label="Name begins with"
        value={member}
        onChange={(value) => void navigate({ search: (before) => ({ ...before, member: value }), replace: true })}
      />
      <SelectField
        label="Role"
        none="Any role"
        value={role}
        choices={ROLE_CHOICES}
        onChange={(value) => void navigate({ search: (before) => ({ ...before, role: value }) })}
      />
    </div>
  );
}

function Invitations({ id }: { id: string }) {
  const pages = usePages("organizations", INVITATIONS, { id }, ({ organization }) => organization?.invitations ?? null);
  // Most organizations have none: an empty table would only be in the way.
  if (pages.rows.length === 0) return null;
  return (
    <Panel title="Open invitations" flush>
      <List
        label="Open invitations"
        noun="invitation"
        pages={pages}
        columns={INVITATION_COLUMNS}
        rowKey={(row) => row.id}
        empty={null}
      />
    </Panel>
  );
}
