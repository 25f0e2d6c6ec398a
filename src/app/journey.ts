/** The explorer's example operations, one per step of the journey, in order. */
import type { JourneyStep, Overview } from "#api/graphql/kit";

export const JOURNEY: readonly JourneyStep[] = [
  {
    title: "Create a user",
    text: "A person who uses the system. Users live at home.",
    query: `mutation CreateUser($input: CreateUserInput!) {
  createUser(input: $input) {
    id
    name
    email
  }
}`,
    variables: { input: { name: "Ada", email: "ada.{{unique}}@example.com" } },
    saves: { user: "createUser.id" },
  },
  {
    title: "Create an organization",
    text: "A collection of users, owner of resources.",
    query: `mutation CreateOrganization($input: CreateOrganizationInput!) {
  createOrganization(input: $input) {
    id
    name
  }
}`,
    variables: { input: { name: "Acme {{unique}}" } },
    saves: { organization: "createOrganization.id" },
  },
  {
    title: "Add the user to it",
    text: "Members are what a region gets to know of home: nobody else's name goes there.",
    query: `mutation AddMember($input: AddOrganizationMemberInput!) {
  addOrganizationMember(input: $input) {
    role
    user {
      name
    }
    organization {
      name
    }
  }
}`,
    variables: { input: { organizationId: "{{organization}}", userId: "{{user}}", role: "OWNER" } },
  },
  {
    title: "Register region eu",
    text: "A PostgreSQL server, by its connection URL. Once is enough: a second time it is there already.",
    query: `mutation RegisterEu($input: RegisterRegionInput!) {
  registerRegion(input: $input) {
    key
    name
    server {
      host
      port
      version
      subscriptionMethod
    }
  }
}`,
    variables: { input: { key: "eu", name: "Europe", connectionUrl: "{{regionUrl.eu}}" } },
    already: 'query Already { region(key: "eu") { key } }',
  },
  {
    title: "Register region us",
    text: "Another server. Home itself can be a region too.",
    query: `mutation RegisterUs($input: RegisterRegionInput!) {
  registerRegion(input: $input) {
    key
    name
    server {
      host
      port
      version
      subscriptionMethod
    }
  }
}`,
    variables: { input: { key: "us", name: "United States", connectionUrl: "{{regionUrl.us}}" } },
    already: 'query Already { region(key: "us") { key } }',
  },
  {
    title: "Grant access to the region",
    text: "Makes a database on the region's server at the latest schema, and replication both ways.",
    query: `mutation Grant($input: GrantRegionAccessInput!) {
  grantRegionAccess(input: $input) {
    id
    state
    failure
    database
    schemaVersion
    replication {
      healthy
      parked
      lagBytes
    }
  }
}`,
    variables: { input: { organizationId: "{{organization}}", regionKey: "eu" } },
  },
  {
    title: "Create a resource at home",
    text: "Without an organization it belongs to the default one, and every user may work on it.",
    query: `mutation CreateResourceAtHome($input: CreateResourceInput!) {
  createResource(input: $input) {
    id
    name
  }
}`,
    variables: { input: { name: "Roadmap" } },
    saves: { homeResource: "createResource.id" },
  },
  {
    title: "Create a resource in the region",
    text: "It is stored in the organization's own database there; home keeps a line of it in the catalog.",
    query: `mutation CreateResourceInRegion($input: CreateResourceInput!) {
  createResource(input: $input) {
    id
    name
    region {
      key
    }
    organization {
      name
    }
  }
}`,
    variables: { input: { name: "Plans", organizationId: "{{organization}}", regionKey: "eu" } },
    saves: { regionResource: "createResource.id" },
  },
  {
    title: "Comment at home",
    text: "The operator names the author; a user writes as themselves.",
    query: `mutation CommentAtHome($input: CreateCommentInput!) {
  createComment(input: $input) {
    id
    body
    author {
      name
    }
  }
}`,
    variables: { input: { resourceId: "{{homeResource}}", authorId: "{{user}}", body: "Everybody can read this." } },
  },
  {
    title: "Comment in the region",
    text: "This text never leaves the region.",
    query: `mutation CommentInRegion($input: CreateCommentInput!) {
  createComment(input: $input) {
    id
    body
    author {
      name
    }
  }
}`,
    variables: { input: { resourceId: "{{regionResource}}", authorId: "{{user}}", body: "Only members read this." } },
  },
  {
    title: "Read it all back",
    text: "One query, answered from home and the region.",
    query: `query ReadItBack($organization: ID!, $home: ID!, $region: ID!) {
  organization(id: $organization) {
    name
    members {
      edges {
        node {
          role
          user {
            name
          }
        }
      }
    }
    placements {
      state
      database
      region {
        key
      }
    }
  }
  atHome: resource(id: $home) {
    ...WithComments
  }
  inRegion: resource(id: $region) {
    ...WithComments
  }
}

fragment WithComments on Resource {
  name
  region {
    key
  }
  comments(first: 20) {
    edges {
      node {
        body
        author {
          name
        }
        createdAt
      }
    }
  }
}`,
    variables: { organization: "{{organization}}", home: "{{homeResource}}", region: "{{regionResource}}" },
  },
];

/** The steps that have nothing to do with the app's content. */
export const ENGINES_JOURNEY = JOURNEY.filter(({ query }) => !/resource|comment/i.test(query));

const PEOPLE = `users(first: 100) {
    edges {
      node {
        id
      }
    }
    pageInfo {
      hasNextPage
    }
  }
  organizations(first: 20) {
    edges {
      node {
        id
        placements {
          region {
            key
          }
        }
        members(first: 50) {
          edges {
            node {
              user {
                id
              }
            }
          }
          pageInfo {
            hasNextPage
          }
        }
      }
    }
    pageInfo {
      hasNextPage
    }
  }`;

const ROWS_OF_PEOPLE: Overview["rows"] = [
  { label: "Users", note: "stored at home", each: "users.edges.node" },
  {
    label: "Copies of users",
    note: "the members of organizations that are placed there, and nobody else",
    each: "organizations.edges.node",
    regions: "placements.region.key",
    count: "members.edges.node.user.id",
  },
];

/** What lies where, of people. */
export const ENGINES_OVERVIEW: Overview = {
  query: `query WhatLiesWhere {
  regions {
    key
    name
  }
  ${PEOPLE}
}`,
  rows: ROWS_OF_PEOPLE,
};

/** What lies where: people, resources and comments. */
export const OVERVIEW: Overview = {
  query: `query WhatLiesWhere {
  regions {
    key
    name
  }
  ${PEOPLE}
  resources(first: 50) {
    edges {
      node {
        id
        region {
          key
        }
        comments(first: 20) {
          edges {
            node {
              id
            }
          }
          pageInfo {
            hasNextPage
          }
        }
      }
    }
    pageInfo {
      hasNextPage
    }
  }
}`,
  rows: [
    ...ROWS_OF_PEOPLE,
    { label: "Resources", note: "each in one place", each: "resources.edges.node", regions: "region.key" },
    {
      label: "Comments",
      note: "their texts never leave their place",
      each: "resources.edges.node",
      regions: "region.key",
      count: "comments.edges.node.id",
    },
    {
      label: "Lines of the catalog",
      note: "the names of resources in regions, so that one query finds them all",
      each: "resources.edges.node",
      having: "region.key",
    },
  ],
};
