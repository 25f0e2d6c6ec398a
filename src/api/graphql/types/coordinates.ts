import type { Coordinates as Place } from "#engine/regions/coordinates";
import { asParent, type Policy } from "#engine/auth/policy-table";
import { perSchema } from "#api/graphql/builder";

const LATITUDE = "In degrees, from -90 in the south to 90 in the north.";
const LONGITUDE = "In degrees, from -180 in the west to 180 in the east.";

export const Coordinates = perSchema((builder) =>
  builder.objectRef<Place>("Coordinates").implement({
    description: "A place on the map of the world. Nothing is decided by it.",
    fields: (t) => ({
      latitude: t.exposeFloat("latitude", { description: LATITUDE }),
      longitude: t.exposeFloat("longitude", { description: LONGITUDE }),
    }),
  }),
);

export const CoordinatesInput = perSchema((builder) =>
  builder.inputType("CoordinatesInput", {
    description: "A place on the map of the world.",
    fields: (t) => ({
      latitude: t.float({ required: true, description: LATITUDE }),
      longitude: t.float({ required: true, description: LONGITUDE }),
    }),
  }),
);

export const COORDINATES_POLICY: Policy = { Coordinates: asParent("latitude longitude") };
