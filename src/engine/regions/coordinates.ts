/** Where something is on the map of the world. People give it; nothing is decided by it. */
import { invalidInput } from "#base/kernel/errors";

/** In degrees, as WGS 84 has them: north and east are positive. */
export type Coordinates = { latitude: number; longitude: number };

/** The coordinates of region `r` as JSON; null: not given. */
export const COORDINATES_OF_REGION = `case when r.latitude is not null
  then json_build_object('latitude', r.latitude, 'longitude', r.longitude) end`;

/** INVALID_INPUT for what is nowhere on the map. */
export function validCoordinates(field: string, { latitude, longitude }: Coordinates): Coordinates {
  if (!isWithin(latitude, 90) || !isWithin(longitude, 180))
    throw invalidInput(
      field,
      `${field} must be a latitude from -90 to 90 and a longitude from -180 to 180, in degrees.`,
    );
  // Without the negative zero, which JSON has not.
  return { latitude: latitude + 0, longitude: longitude + 0 };
}

/** Reads `50.11,8.68`: the latitude, a comma and the longitude. INVALID_INPUT for anything else. */
export function parseCoordinates(field: string, text: string): Coordinates {
  const found = /^\s*(-?\d{1,3}(?:\.\d{1,12})?)\s*,\s*(-?\d{1,3}(?:\.\d{1,12})?)\s*$/.exec(text);
  if (found === null)
    throw invalidInput(field, `${field} must be a latitude, a comma and a longitude, in degrees, such as 50.11,8.68.`);
  return validCoordinates(field, { latitude: Number(found[1]), longitude: Number(found[2]) });
}

function isWithin(degrees: number, most: number): boolean {
  return Number.isFinite(degrees) && Math.abs(degrees) <= most;
}
