/**
 * Batches what one request reads where it lives: however many rows ask, one statement per location and kind. A location
 * is home, or a placement: row-level security shows a statement the rows of one. Each has loaders of its own, so that
 * one that answers late holds up nothing that is read in another.
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
import { type Asked, findPeople, readPages, readRows } from "#api/graphql/shapes/rows";
import { locateRows, type Location, type LocationContext } from "#engine/routing/location";

/** NOT_FOUND for rows that the actor may not see, CONFLICT and REGION_UNAVAILABLE where they cannot be read now. */
export type Content = {
  row: <Row extends ContentRow>(shape: Declaration<Row>, id: string) => Promise<Row>;
  /** What belongs to the row with the id, with what is asked of it. */
  page: (
    shape: Declaration,
    field: PageField<Declaration>,
    id: string,
    page: PageRequest,
    asked: Asked,
  ) => Promise<Page<ContentRow>>;
  /** A person whom the row names. Null when the row's database does not know them any more. */
  member: (shape: Declaration, row: ContentRow, userId: string) => Promise<Person | null>;
};

type LoadersOfLocation = {
  rows: (shape: Declaration) => DataLoader<string, ContentRow>;
  pages: (shape: Declaration, field: PageField<Declaration>, asked: Asked) => PageLoader<ContentRow>;
  people: DataLoader<string, Person | null>;
};

/** Rows of shapes, what belongs to them, and the people whom they name. */
export const content = defineLoaders((context: LocationContext, actor: Actor): Content => {
  // By the number in the id, which says where the row is.
  const locations = new DataLoader<string, Location | typeof HIDDEN, number>(
    async (ids) => (await locateRows(context, actor, ids)).map((location): Found => location ?? HIDDEN),
    { cacheKeyFn: placementNumberOf },
  );
  const loaders = new Map<string, LoadersOfLocation>();
  // A row is of the location that it was read in, whatever that location says of its id.
  const loadersByRow: LoadersByRow = new WeakMap();
  const at = async (shape: Declaration, id: string): Promise<LoadersOfLocation> => {
    const location = await locations.load(id);
    if (location === HIDDEN) throw notFound(shape.name);
    const key = location.route.kind === "home" ? "home" : location.route.placementId;
    const found = loaders.get(key) ?? createLoadersOfLocation(actor, location, loadersByRow);
    loaders.set(key, found);
    return found;
  };
  return {
    row: async <Row extends ContentRow>(shape: Declaration<Row>, id: string) =>
      (await (await at(shape, id)).rows(shape).load(id)) as Row,
    page: async (shape, field, id, page, asked) => (await at(shape, id)).pages(shape, field, asked).load({ id, page }),
    member: async (shape, row, userId) => (loadersByRow.get(row) ?? (await at(shape, row.id))).people.load(userId),
  };
});

const HIDDEN = "hidden";
type Found = Location | TenantryError | typeof HIDDEN;

/** What reads further in the location that a row was read in. */
type LoadersByRow = WeakMap<ContentRow, LoadersOfLocation>;

function createLoadersOfLocation(actor: Actor, location: Location, loadersByRow: LoadersByRow): LoadersOfLocation {
  const rows = new Map<Declaration, DataLoader<string, ContentRow>>();
  const pages = new Map<PageField<Declaration>, Map<string, PageLoader<ContentRow>>>();
  const note = (row: ContentRow) => loadersByRow.set(row, own);
  const own: LoadersOfLocation = {
    rows: (shape) => {
      const found = rows.get(shape) ?? rowsOf(shape, location, note);
      rows.set(shape, found);
      return found;
    },
    pages: (shape, field, asked) => {
      const byAsked = pages.get(field) ?? new Map<string, PageLoader<ContentRow>>();
      const key = `${asked.longTexts} ${asked.people}`;
      const found = byAsked.get(key) ?? pagesOf(shape, field, location, asked, note, own.people);
      pages.set(field, byAsked.set(key, found));
      return found;
    },
    people: new DataLoader(async (ids) => {
      const found = new Map((await findPeople(actor, location, ids)).map((row) => [row.id, row]));
      return ids.map((id) => found.get(id) ?? null);
    }),
  };
  return own;
}

type Note = (row: ContentRow) => void;

function rowsOf(shape: Declaration, location: Location, note: Note): DataLoader<string, ContentRow> {
  return new DataLoader<string, ContentRow>(async (ids) => {
    const rows = await readRows(shape, location, ids);
    rows.forEach(note);
    const found = new Map(rows.map((row) => [row.id, row]));
    return ids.map((id) => found.get(id) ?? notFound(shape.name));
  });
}

function pagesOf(
  shape: Declaration,
  field: PageField<Declaration>,
  location: Location,
  asked: Asked,
  note: Note,
  people: LoadersOfLocation["people"],
): PageLoader<ContentRow> {
  return new DataLoader<PageKey, Page<ContentRow>, string>(
    (keys) =>
      inGroups(keys, formOf, async (group) => {
        const ids = group.map(({ id }) => id);
        const found = await readPages(shape, field, location, ids, group[0].page, asked);
        for (const page of found.pages.values()) page.rows.forEach(note);
        // They came along: asking for them would be another way to the region and back.
        for (const [userId, person] of found.people) people.prime(userId, person);
        return ({ id }) => found.pages.get(id) ?? notFound(shape.name);
      }),
    { cacheKeyFn: (key) => `${key.id} ${formOf(key)}` },
  );
}
