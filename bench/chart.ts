/** A chart as SVG, readable on light and dark pages. */
import { digits } from "./table.ts";

type Line = { kind: string; name: string; perSecond: number };

const WIDTH = 720;
const LABEL_WIDTH = 230;
const VALUE_WIDTH = 70;
const LINE_HEIGHT = 26;
const BAR_HEIGHT = 16;
const HEAD_HEIGHT = 34;
const OWN_NAME = "Tenantry";

const STYLE = `
    text { font: 13px system-ui, sans-serif; fill: #1f2328 }
    .title { font-weight: 600; font-size: 15px }
    .kind { font-weight: 600 }
    .bar { fill: #8c959f }
    .own { fill: #0969da }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 }
      .bar { fill: #6e7681 }
      .own { fill: #4493f8 }
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
  const height = y + 12;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escape(title)}">
  <style>${STYLE}
  </style>
  <text class="title" x="12" y="24">${escape(title)}</text>
  ${parts.join("\n  ")}
</svg>
`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
