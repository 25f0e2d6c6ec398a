/**
 * Batches what one request reads where it lives: however many rows ask, one statement per place and kind. A place is home, or
 * a placement: row-level security shows a statement the rows of one. Each has loaders of its own, so that one that answers
 * late holds up nothing that is read in another.
 */
import DataLoader from "dataloader";
import type { Actor } from "#engine/auth/actor";
import { notFound } from "#base/kernel/errors";
import type { Page, PageRequest } from "#base/kernel/page";
import { type Author, type Comment, findAuthors, listComments } from "#app/comments/comments";
import { findPlaces, type Place, type WorkspaceContext } from "#engine/routing/location";
import { readResources, type Resource } from "#app/resources/resources";
import { defineLoaders } from "#api/graphql/loaders";
import { formOf, inGroups, type PageKey } from "#api/graphql/loading-in-groups";

/** NOT_FOUND for resources that the actor may not see, CONFLICT and REGION_UNAVAILABLE where they cannot be read now. */
export type ContentLoaders = {
  resource: (id: string) => Promise<Resource>;
  /** Without bodies where nobody asks for them: they can be long. */
  comments: (resourceId: string, page: PageRequest, withBodies: boolean) => Promise<Page<Comment>>;
  /** Null when the resource's database does not know the author any more. */
  author: (resourceId: string, authorId: string) => Promise<Author | null>;
};

type LoadersOfPlace = {
  resources: DataLoader<string, Resource>;
  comments: DataLoader<PageKey, Page<Comment>, string>;
  commentsWithoutBodies: DataLoader<PageKey, Page<Comment>, string>;
  authors: DataLoader<string, Author | null>;
};

/** Resources, comments and authors, read where they live. */
export const content = defineLoaders(createContentLoaders);

function createContentLoaders(context: WorkspaceContext, actor: Actor): ContentLoaders {
  const places = new DataLoader<string, Place>((ids) => findPlaces(context, actor, ids, "Resource"));
  const loaders = new Map<string, LoadersOfPlace>();
  const at = async (resourceId: string): Promise<LoadersOfPlace> => {
    const place = await places.load(resourceId);
    const key = place.route.kind === "home" ? "home" : place.route.placementId;
    const found = loaders.get(key) ?? createLoadersOfPlace(actor, place);
    loaders.set(key, found);
    return found;
  };
  return {
    resource: async (id) => (await at(id)).resources.load(id),
    comments: async (id, page, withBodies) => {
      const { comments, commentsWithoutBodies } = await at(id);
      return (withBodies ? comments : commentsWithoutBodies).load({ id, page });
    },
    author: async (resourceId, id) => (await at(resourceId)).authors.load(id),
  };
}

function createLoadersOfPlace(actor: Actor, place: Place): LoadersOfPlace {
  return {
    resources: new DataLoader<string, Resource>(async (ids) => {
      const found = new Map((await readResources(place, ids)).map((row) => [row.id, row]));
      return ids.map((id) => found.get(id) ?? notFound("Resource"));
    }),
    comments: commentsOf(place, true),
    commentsWithoutBodies: commentsOf(place, false),
    authors: new DataLoader(async (ids) => {
      const found = new Map((await findAuthors(actor, place, ids)).map((row) => [row.id, row]));
      return ids.map((id) => found.get(id) ?? null);
    }),
  };
}

function commentsOf(place: Place, withBodies: boolean): DataLoader<PageKey, Page<Comment>, string> {
  return new DataLoader<PageKey, Page<Comment>, string>(
    (keys) =>
      inGroups(keys, formOf, async (group) => {
        const ids = group.map(({ id }) => id);
        const found = await listComments(place, ids, group[0].page, withBodies);
        return ({ id }) => found.get(id) ?? notFound("Resource");
      }),
    { cacheKeyFn: (key) => `${key.id} ${formOf(key)}` },
  );
}
