/**
 * The world with home and the regions where they are. The land is a picture; what stands on it are elements of the page, so
 * that their text has the same size on any screen and they can be reached with the keyboard.
 */
import { Link } from "@tanstack/react-router";
import { geoEqualEarth, geoPath } from "d3-geo";
import { feature } from "topojson-client";
import land from "world-atlas/land-110m.json";
import { Status, type Tone } from "../../ui/status.tsx";
import "./world-map.css";

const WIDTH = 960;
const HEIGHT = 424;
/** Nobody has a server on the Antarctic: the map ends above it. */
const SHIFT = 30;

/** The map is cut where there is no land, in the Bering Strait. */
const CUT = 11;

const projection = geoEqualEarth()
  .rotate([-CUT, 0])
  .fitWidth(WIDTH, { type: "Sphere" })
  .translate([WIDTH / 2, HEIGHT / 2 + SHIFT]);
const path = geoPath(projection);

type Topology = Parameters<typeof feature>[0];
const topology = land as unknown as Topology;
const LAND = path(feature(topology, topology.objects["land"] as Parameters<typeof feature>[1])) ?? "";

export type Coordinates = { latitude: number; longitude: number };
export type Site = {
  key: string;
  name: string;
  coordinates: Coordinates;
  tone: Tone;
  /** How it is, in a word or two. */
  word: string;
};

export function WorldMap({ home, sites }: { home: Coordinates | null; sites: readonly Site[] }) {
  const from = home === null ? null : pointOf(home);
  return (
    <div className="world">
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} aria-hidden="true">
        <path className="land" d={LAND} />
        {home !== null &&
          sites.map(({ key, coordinates, tone }) => (
            <path key={key} className={`way tone-${tone}`} d={wayBetween(home, coordinates)} />
          ))}
      </svg>
      <ul>
        {from !== null && (
          <li className="site" style={percent(from)}>
            <span className="pin home">
              <svg width="12" height="12" viewBox="0 0 12 12" aria-hidden="true">
                <path d="M6 1 11 5.5V11H1V5.5z" fill="currentColor" />
              </svg>
              home
            </span>
          </li>
        )}
        {spread(sites, from).map(({ site, point, row }) => (
          <li className="site" key={site.key} style={{ ...percent(point), marginTop: row * ROW_PX }}>
            <Link to="/regions" search={{ region: site.key }} className="pin" title={`${site.name}: ${site.word}`}>
              <Status tone={site.tone}>
                {site.key}
                <span className="visually-hidden">, {site.word}</span>
              </Status>
            </Link>
          </li>
        ))}
      </ul>
    </div>
  );
}

type Point = readonly [x: number, y: number];

const ROW_PX = 22;
/** Labels that begin nearer to each other than this would lie on each other. */
const NEAR_X = 70;
const NEAR_Y = 18;

function pointOf({ latitude, longitude }: Coordinates): Point {
  return projection([longitude, latitude]) ?? [0, 0];
}

function percent([x, y]: Point): { left: string; top: string } {
  return { left: `${(x / WIDTH) * 100}%`, top: `${(y / HEIGHT) * 100}%` };
}

function wayBetween(one: Coordinates, other: Coordinates): string {
  const ends = [one, other].map(({ latitude, longitude }): [number, number] => [longitude, latitude]);
  return path({ type: "LineString", coordinates: ends }) ?? "";
}

/** Puts a label below the others that are at the same spot. */
function spread(sites: readonly Site[], home: Point | null) {
  const taken: Point[] = home === null ? [] : [home];
  return sites.map((site) => {
    const point = pointOf(site.coordinates);
    const row = taken.filter(([x, y]) => Math.abs(x - point[0]) < NEAR_X && Math.abs(y - point[1]) < NEAR_Y).length;
    taken.push(point);
    return { site, point, row };
  });
}
