// What lies where: counts the rows of home and of each region in the answer of one query, as the app has described it.
// Runs in the browser as it is.

/** The values at the end of a path; lists on the way are gone through, and null in the middle ends it. */
function valuesAt(value, path) {
  let values = [value];
  for (const key of path.split("."))
    values = values
      .flat()
      .filter((one) => one !== null && one !== undefined)
      .map((one) => one[key]);
  return values.flat();
}

/** Where the rows of an object lie: keys of regions, or "" for home. */
function placesOf(object, regions) {
  if (regions === undefined) return [""];
  const [first, ...rest] = regions.split(".");
  const at = object[first];
  // An object without a region is at home; one with a list of them lies in each of these only.
  if (at === null || at === undefined) return [""];
  return rest.length === 0 ? [at].flat() : valuesAt(at, rest.join("."));
}

/** Per row of the overview, how many values lie in each place. */
export function countPlaces({ rows }, data) {
  return rows.map(({ label, note, each, regions, count = "id", having }) => {
    const found = new Map();
    for (const object of valuesAt(data, each)) {
      if (object === null || object === undefined) continue;
      if (having !== undefined && valuesAt(object, having).every((one) => one === null || one === undefined)) continue;
      for (const place of placesOf(object, regions)) {
        if (!found.has(place)) found.set(place, new Set());
        for (const value of valuesAt(object, count))
          if (value !== null && value !== undefined) found.get(place).add(value);
      }
    }
    return { label, note, at: (place) => found.get(place)?.size ?? 0 };
  });
}

/** Whether a list in the answer goes on: what is counted is then less than there is. */
export function isCutOff(value) {
  if (value === null || typeof value !== "object") return false;
  return value.hasNextPage === true || Object.values(value).some(isCutOff);
}

function cell(kind, text, scope) {
  const made = document.createElement(kind);
  if (scope !== undefined) made.scope = scope;
  made.textContent = text;
  return made;
}

/** The table: a column for home and for each region. */
export function tableOf(overview, data) {
  const places = [{ key: "" }, ...data.regions];
  const table = document.createElement("table");
  const head = table.createTHead().insertRow();
  head.append(cell("td", ""), ...places.map(({ key }) => cell("th", key === "" ? "home" : key, "col")));
  const body = table.createTBody();
  for (const { label, note, at } of countPlaces(overview, data)) {
    const row = body.insertRow();
    const name = cell("th", label, "row");
    const more = cell("span", note);
    more.className = "note";
    name.append(more);
    row.append(name);
    for (const { key } of places) {
      const number = cell("td", String(at(key)));
      number.classList.toggle("none", at(key) === 0);
      row.append(number);
    }
  }
  return table;
}
