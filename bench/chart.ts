/** A chart as SVG. It paints its own ground: the page around it may be dark where the system is light. */
import { digits } from "./table.ts";

type Line = { kind: string; name: string; perSecond: number };

const WIDTH = 720;
const LABEL_WIDTH = 230;
const VALUE_WIDTH = 70;
const LINE_HEIGHT = 26;
const BAR_HEIGHT = 16;
const HEAD_HEIGHT = 34;
/** What is drawn in the colour that stands out. */
export const OWN_NAME = "Tenantry";

const STYLE = `
    text { font: 13px system-ui, sans-serif; fill: #1f2328 }
    .title { font-weight: 600; font-size: 15px }
    .kind { font-weight: 600 }
    .ground { fill: #ffffff }
    .bar { fill: #8c959f }
    .own { fill: #0969da }
    .axis { stroke: #d1d9e0; stroke-width: 1 }
    .small { font-size: 12px; fill: #59636e }
    .line { fill: none; stroke: #8c959f; stroke-width: 2.5 }
    .line.own { stroke: #0969da; fill: none }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 }
      .ground { fill: #0d1117 }
      .bar { fill: #6e7681 }
      .own { fill: #4493f8 }
      .axis { stroke: #3d444d }
      .small { fill: #9198a1 }
      .line { stroke: #6e7681 }
      .line.own { stroke: #4493f8; fill: none }
    }`;

/** Horizontal bars, in a group for each kind; each group has a scale of its own, from 0. */
export function drawBars(title: string, lines: readonly Line[]): string {
  const parts: string[] = [];
  let y = HEAD_HEIGHT;
  for (const [kind, group] of Map.groupBy(lines, (line) => line.kind)) {
    y += LINE_HEIGHT;
    parts.push(`<text class="kind" x="12" y="${y - 8}">${escape(kind)}</text>`);
    const most = Math.max(...group.map(({ perSecond }) => perSecond));
    for (const { name, perSecond } of group) {
      const width = ((WIDTH - LABEL_WIDTH - VALUE_WIDTH) * perSecond) / most;
      const middle = y + LINE_HEIGHT / 2 + 4;
      parts.push(
        `<text x="12" y="${middle}">${escape(name)}</text>`,
        `<rect class="bar${name === OWN_NAME ? " own" : ""}" x="${LABEL_WIDTH}" y="${y + (LINE_HEIGHT - BAR_HEIGHT) / 2}" width="${width.toFixed(1)}" height="${BAR_HEIGHT}" rx="2"/>`,
        `<text x="${(LABEL_WIDTH + width + 8).toFixed(1)}" y="${middle}">${digits(perSecond)}</text>`,
      );
      y += LINE_HEIGHT;
    }
  }
  return svg(title, y + 12, parts);
}

function svg(title: string, height: number, parts: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escape(title)}">
  <style>${STYLE}
  </style>
  <rect class="ground" width="${WIDTH}" height="${height}" rx="6"/>
  <text class="title" x="12" y="24">${escape(title)}</text>
  ${parts.join("\n  ")}
</svg>
`;
}

type Series = { name: string; points: readonly { x: number; y: number }[] };

const PLOT = { left: 56, right: 210, top: 48, bottom: 300, height: 348 };
const STEPS = 4;

/** Lines over a common ground, both scales from 0. Each line's name and last figure stand at its end. */
export function drawLines({ title, across }: { title: string; across: string }, lines: readonly Series[]): string {
  const points = lines.flatMap((line) => line.points);
  const [mostX, mostY] = [Math.max(...points.map(({ x }) => x)), niceMost(Math.max(...points.map(({ y }) => y)))];
  const right = WIDTH - PLOT.right;
  const atX = (x: number) => PLOT.left + ((right - PLOT.left) * x) / mostX;
  const atY = (y: number) => PLOT.bottom - ((PLOT.bottom - PLOT.top) * y) / mostY;
  const parts: string[] = [];
  for (let step = 0; step <= STEPS; step += 1) {
    const value = (mostY * step) / STEPS;
    const y = atY(value).toFixed(1);
    parts.push(
      `<line class="axis" x1="${PLOT.left}" x2="${right}" y1="${y}" y2="${y}"/>`,
      `<text class="small" x="${PLOT.left - 8}" y="${(atY(value) + 4).toFixed(1)}" text-anchor="end">${Number(value.toPrecision(3))}</text>`,
    );
  }
  for (const x of new Set(points.map((point) => point.x)))
    parts.push(`<text class="small" x="${atX(x).toFixed(1)}" y="${PLOT.bottom + 18}" text-anchor="middle">${x}</text>`);
  parts.push(
    `<text class="small" x="${((PLOT.left + right) / 2).toFixed(1)}" y="${PLOT.bottom + 38}" text-anchor="middle">${escape(across)}</text>`,
  );
  const ends = spread(lines.map((line) => atY(line.points.at(-1)?.y ?? 0)));
  for (const [index, { name, points: at }] of lines.entries()) {
    const own = name === OWN_NAME ? " own" : "";
    const path = at.map(({ x, y }) => `${atX(x).toFixed(1)},${atY(y).toFixed(1)}`).join(" ");
    const [end] = at.slice(-1);
    parts.push(
      `<polyline class="line${own}" points="${path}"/>`,
      ...at.map(
        ({ x, y }) => `<circle class="bar${own}" cx="${atX(x).toFixed(1)}" cy="${atY(y).toFixed(1)}" r="3.5"/>`,
      ),
      `<text x="${right + 10}" y="${((ends[index] ?? 0) + 4).toFixed(1)}">${escape(name)}</text>`,
      `<text class="small" x="${right + 10}" y="${((ends[index] ?? 0) + 20).toFixed(1)}">${digits(end?.y ?? Number.NaN)}</text>`,
    );
  }
  return svg(title, PLOT.height, parts);
}

/** A round number at or above it. */
function niceMost(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * ([1, 2, 4, 6, 8, 10].find((step) => step * power >= value) ?? 10);
}

/** Texts two lines high that would stand on each other are moved apart. */
function spread(ys: readonly number[]): number[] {
  const placed: number[] = Array.from({ length: ys.length }, () => 0);
  // The last line of text stands above the figures of the scale.
  let last = PLOT.bottom + 16;
  for (const { y, index } of ys.map((one, at) => ({ y: one, index: at })).toSorted((a, b) => b.y - a.y)) {
    last = Math.min(y, last - 36);
    placed[index] = last;
  }
  return placed;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
