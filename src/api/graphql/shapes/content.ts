/**
 * Batches what one request reads where it lives: however many rows ask, one statement per place and kind. A place is home, or
 * a placement: row-level security shows a statement the rows of one. Each has loaders of its own, so that one that answers
 * late holds up nothing that is read in another.
 */
import DataLoader from "dataloader";
import type { Actor } from "#engine/auth/actor";
import { notFound, type TenantryError } from "#base/kernel/errors";
import { placementNumberOf } from "#base/kernel/ids";
import type { Page, PageRequest } from "#base/kernel/page";
import type { Person } from "#api/graphql/builder";
import { defineLoaders, type PageLoader } from "#api/graphql/loaders";
import { formOf, inGroups, type PageKey } from "#api/graphql/loading-in-groups";
import type { ContentRow, Declaration, PageField } from "#api/graphql/shapes/fields";
import { findPeople, readPages, readRows } from "#api/graphql/shapes/rows";
import { findPlaces, type Place, type LocationContext } from "#engine/routing/location";

/** NOT_FOUND for rows that the actor may not see, CONFLICT and REGION_UNAVAILABLE where they cannot be read now. */
export type Content = {
  row: <Row extends ContentRow>(shape: Declaration<Row>, id: string) => Promise<Row>;
  /** What belongs to the row with the id. Long texts are empty where nobody asks for them. */
  page: (
    shape: Declaration,
    field: PageField<Declaration>,
    id: string,
    page: PageRequest,
    withLongTexts: boolean,
  ) => Promise<Page<ContentRow>>;
  /** A person whom the row names. Null when the row's database does not know them any more. */
  member: (shape: Declaration, row: ContentRow, userId: string) => Promise<Person | null>;
};

type LoadersOfPlace = {
  rows: (shape: Declaration) => DataLoader<string, ContentRow>;
  pages: (shape: Declaration, field: PageField<Declaration>, withLongTexts: boolean) => PageLoader<ContentRow>;
  people: DataLoader<string, Person | null>;
};

/** Rows of shapes, what belongs to them, and the people whom they name. */
export const content = defineLoaders((context: LocationContext, actor: Actor): Content => {
  // By the number in the id, which says where the row is.
  const places = new DataLoader<string, Place | typeof HIDDEN, number>(
    async (ids) => (await findPlaces(context, actor, ids)).map((place): Found => place ?? HIDDEN),
    { cacheKeyFn: placementNumberOf },
  );
  const loaders = new Map<string, LoadersOfPlace>();
  // A row is of the place that it was read in, whatever that place says of its id.
  const origins: Origins = new WeakMap();
  const at = async (shape: Declaration, id: string): Promise<LoadersOfPlace> => {
    const place = await places.load(id);
    if (place === HIDDEN) throw notFound(shape.name);
    const key = place.route.kind === "home" ? "home" : place.route.placementId;
    const found = loaders.get(key) ?? createLoadersOfPlace(actor, place, origins);
    loaders.set(key, found);
    return found;
  };
  return {
    row: async <Row extends ContentRow>(shape: Declaration<Row>, id: string) =>
      (await (await at(shape, id)).rows(shape).load(id)) as Row,
    page: async (shape, field, id, page, withLongTexts) =>
      (await at(shape, id)).pages(shape, field, withLongTexts).load({ id, page }),
    member: async (shape, row, userId) => (origins.get(row) ?? (await at(shape, row.id))).people.load(userId),
  };
});

const HIDDEN = "hidden";
type Found = Place | TenantryError | typeof HIDDEN;

/** What reads further in the place that a row was read in. */
type Origins = WeakMap<ContentRow, LoadersOfPlace>;

function createLoadersOfPlace(actor: Actor, place: Place, origins: Origins): LoadersOfPlace {
  const rows = new Map<Declaration, DataLoader<string, ContentRow>>();
  const pages = new Map<PageField<Declaration>, Map<boolean, PageLoader<ContentRow>>>();
  const note = (row: ContentRow) => origins.set(row, own);
  const own: LoadersOfPlace = {
    rows: (shape) => {
      const found = rows.get(shape) ?? rowsOf(shape, place, note);
      rows.set(shape, found);
      return found;
    },
    pages: (shape, field, withLongTexts) => {
      const both = pages.get(field) ?? new Map<boolean, PageLoader<ContentRow>>();
      const found = both.get(withLongTexts) ?? pagesOf(shape, field, place, withLongTexts, note);
      pages.set(field, both.set(withLongTexts, found));
      return found;
    },
    people: new DataLoader(async (ids) => {
      const found = new Map((await findPeople(actor, place, ids)).map((row) => [row.id, row]));
      return ids.map((id) => found.get(id) ?? null);
    }),
  };
  return own;
}

type Note = (row: ContentRow) => void;

function rowsOf(shape: Declaration, place: Place, note: Note): DataLoader<string, ContentRow> {
  return new DataLoader<string, ContentRow>(async (ids) => {
    const rows = await readRows(shape, place, ids);
    rows.forEach(note);
    const found = new Map(rows.map((row) => [row.id, row]));
    return ids.map((id) => found.get(id) ?? notFound(shape.name));
  });
}

function pagesOf(
  shape: Declaration,
  field: PageField<Declaration>,
  place: Place,
  withLongTexts: boolean,
  note: Note,
): PageLoader<ContentRow> {
  return new DataLoader<PageKey, Page<ContentRow>, string>(
    (keys) =>
      inGroups(keys, formOf, async (group) => {
        const ids = group.map(({ id }) => id);
        const found = await readPages(shape, field, place, ids, group[0].page, withLongTexts);
        for (const page of found.values()) page.rows.forEach(note);
        return ({ id }) => found.get(id) ?? notFound(shape.name);
      }),
    { cacheKeyFn: (key) => `${key.id} ${formOf(key)}` },
  );
}
