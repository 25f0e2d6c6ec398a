/** What registering and changing a region have in common. */
import { ApiError } from "../../api/request.ts";
import { TextField } from "../../ui/fields.tsx";

export type Place = { latitude: string; longitude: string };

export function PlaceFields({
  place,
  onChange,
  errors,
}: {
  place: Place;
  onChange: (place: Place) => void;
  errors: FieldErrors;
}) {
  return (
    <div className="pair">
      <TextField
        label="Latitude"
        hint="-90 to 90, for the map"
        value={place.latitude}
        onChange={(latitude) => onChange({ ...place, latitude })}
        error={errors("latitude") ?? errors("coordinates")}
        placeholder="50.11"
      />
      <TextField
        label="Longitude"
        hint="-180 to 180"
        value={place.longitude}
        onChange={(longitude) => onChange({ ...place, longitude })}
        error={errors("longitude")}
        placeholder="8.68"
      />
    </div>
  );
}

/** Undefined: not both are numbers. null: both are empty. */
export function coordinatesOf({
  latitude,
  longitude,
}: Place): { latitude: number; longitude: number } | null | undefined {
  const texts = [latitude.trim(), longitude.trim()];
  if (texts.every((text) => text === "")) return null;
  const [north = Number.NaN, east = Number.NaN] = texts.map((text) => (text === "" ? Number.NaN : Number(text)));
  if (Number.isNaN(north) || Number.isNaN(east)) return undefined;
  return { latitude: north, longitude: east };
}

export const PLACE_PROBLEM = "Give both as numbers, such as 50.11 and 8.68, or leave both empty.";

/** The API's sentence about a field, to be shown beside it. */
export type FieldErrors = (field: string) => string | undefined;

export function fieldErrors(error: unknown): FieldErrors {
  return (field) => (error instanceof ApiError && error.field?.split(".").at(-1) === field ? error.message : undefined);
}

/** Whether the error is about one of the fields, so that it is not said a second time above them. */
export function isAbout(error: unknown, fields: readonly string[]): boolean {
  return fields.some((field) => fieldErrors(error)(field) !== undefined);
}
