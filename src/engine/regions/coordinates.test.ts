import { describe, expect, test } from "vitest";
import { TenantryError } from "#base/kernel/errors";
import { parseCoordinates } from "#engine/regions/coordinates";

describe("coordinates as text", () => {
  test.each([
    ["50.11,8.68", { latitude: 50.11, longitude: 8.68 }],
    [" -33.87 , 151.21 ", { latitude: -33.87, longitude: 151.21 }],
    ["90,-180", { latitude: 90, longitude: -180 }],
    ["-0,-0", { latitude: 0, longitude: 0 }],
  ])("%s are read", (text, coordinates) => {
    expect(parseCoordinates("coordinates", text)).toEqual(coordinates);
  });

  test.each([
    "",
    "50.11",
    "50.11;8.68",
    "50,11,8,68",
    "north,west",
    "90.01,0",
    "0,180.5",
    "1e1,0",
    "NaN,0",
    "Infinity,0",
  ])("%j are refused", (text) => {
    const read = () => parseCoordinates("coordinates", text);
    expect(read).toThrow(TenantryError);
    expect(read).toThrow(/latitude/);
  });
});
