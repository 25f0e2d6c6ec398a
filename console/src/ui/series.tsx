/** Values over time. What they are now, or where the pointer is, stands in words below. */
import { useEffect, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import "./series.css";

type Paint = "accent" | "warn" | "bad" | "ok" | "muted";

export type Line = { name: string; values: readonly (number | null)[]; color?: Paint };

export type SeriesProps = {
  label: string;
  /** Seconds since 1970, as many as each line has values. */
  times: readonly number[];
  lines: readonly Line[];
  format: (value: number) => string;
  height?: number;
  /** Bars in place of lines, as for days. */
  bars?: boolean;
};

/** Lines differ by their dashes too. */
const DASHES: readonly (number[] | undefined)[] = [undefined, [6, 4], [2, 3], [10, 3, 2, 3]];
const PAINTS: readonly Paint[] = ["accent", "warn", "ok", "muted"];
const HEIGHT = 160;
/** A page that was just opened has few values: they are not stretched over the whole width. */
const LEAST_SECONDS = 120;
const DAY_SECONDS = 86_400;

const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });

const paintOf = (color: Paint | undefined, index: number): Paint => color ?? PAINTS[index % PAINTS.length] ?? "accent";

export function Series(props: SeriesProps) {
  const { label, times, lines, height = HEIGHT, bars = false } = props;
  const [pointed, setPointed] = useState<number | null>(null);
  const element = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const latest = useRef(props);
  latest.current = props;
  const shape = JSON.stringify([lines.map(({ name, color }) => [name, color]), height, bars]);
  useEffect(() => {
    const parent = element.current;
    if (parent === null) return undefined;
    const draw = () => {
      plot.current?.destroy();
      plot.current = new uPlot(optionsOf(parent, latest.current, setPointed), dataOf(latest.current), parent);
    };
    draw();
    const end = onChangeOfLook(parent, draw, () => plot.current?.setSize({ width: parent.clientWidth, height }));
    return () => {
      end();
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [shape, height]);
  useEffect(() => plot.current?.setData(dataOf(latest.current)), [times, lines]);
  return (
    <figure className="series">
      <div ref={element} role="img" aria-label={label} />
      <Legend {...props} at={pointed ?? times.length - 1} isPointed={pointed !== null} />
    </figure>
  );
}

function Legend({
  lines,
  times,
  format,
  bars = false,
  at,
  isPointed,
}: SeriesProps & { at: number; isPointed: boolean }) {
  const time = times[at];
  return (
    <figcaption className="series-legend">
      {lines.map(({ name, values, color }, index) => {
        const value = values[at];
        return (
          <span key={name} className={`paint-${paintOf(color, index)}`}>
            <svg width="20" height="8" viewBox="0 0 20 8" aria-hidden="true">
              {bars ? (
                <path d="M4 0h12v8H4z" fill="currentColor" />
              ) : (
                <path
                  d="M0 4h20"
                  stroke="currentColor"
                  strokeWidth="2"
                  strokeDasharray={DASHES[index % DASHES.length]?.join(" ")}
                />
              )}
            </svg>
            <span className="series-name">
              {name} {value == null ? "–" : format(value)}
            </span>
          </span>
        );
      })}
      {time !== undefined && (
        <span className="muted">{!isPointed && !bars ? "now" : (bars ? DAY : CLOCK).format(time * 1_000)}</span>
      )}
    </figcaption>
  );
}

function dataOf({ times, lines }: SeriesProps): uPlot.AlignedData {
  return [times, ...lines.map(({ values }) => values)] as uPlot.AlignedData;
}

/** The page's width or its colours have changed. Returns a function that stops looking. */
function onChangeOfLook(parent: HTMLElement, draw: () => void, resize: () => void): () => void {
  const resized = new ResizeObserver(resize);
  resized.observe(parent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const themed = new MutationObserver(draw);
  themed.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  dark.addEventListener("change", draw);
  return () => {
    resized.disconnect();
    themed.disconnect();
    dark.removeEventListener("change", draw);
  };
}

/** A canvas takes no variables: what the browser makes of one is the colour of an element that has it. */
function colorOf(element: Element, name: Paint | "line"): string {
  const probe = document.createElement("span");
  probe.className = `paint-${name}`;
  element.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

function optionsOf(
  element: HTMLElement,
  { lines, format, height = HEIGHT, bars = false }: SeriesProps,
  onPoint: (index: number | null) => void,
): uPlot.Options {
  const look = {
    stroke: colorOf(element, "muted"),
    font: `11px ${getComputedStyle(element).fontFamily}`,
    grid: { stroke: colorOf(element, "line"), width: 1 },
    ticks: { show: false },
  };
  const paths = bars ? uPlot.paths.bars?.({ size: [0.7, 40] }) : undefined;
  const clock = bars ? DAY : CLOCK;
  return {
    width: element.clientWidth,
    height,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false } },
    hooks: { setCursor: [({ cursor }) => onPoint(cursor.idx ?? null)] },
    axes: [
      { ...look, space: 90, values: (_, ticks) => ticks.map((tick) => clock.format(tick * 1_000)) },
      { ...look, size: 60, space: 30, values: (_, ticks) => ticks.map(format) },
    ],
    scales: {
      // Of one value uPlot makes a whole day.
      x: { range: ({ data: [times] }) => rangeOf(times[0], times.at(-1), bars) },
      y: { range: (_, __, most) => [0, most > 0 ? most * 1.05 : 1] },
    },
    series: [
      {},
      ...lines.map(({ color }, index) => {
        const stroke = colorOf(element, paintOf(color, index));
        const dash = DASHES[index % DASHES.length];
        return {
          stroke,
          width: 1.5,
          // One value makes no line.
          points: { show: ({ data }: uPlot) => data[0].length < 3, size: 5 },
          ...(bars ? { fill: stroke } : {}),
          ...(dash === undefined || bars ? {} : { dash }),
          ...(paths === undefined ? {} : { paths }),
        };
      }),
    ],
  };
}

function rangeOf(least: number | undefined, most: number | undefined, bars: boolean): [number, number] {
  // There is no value yet.
  if (least === undefined || most === undefined) return [Date.now() / 1_000 - LEAST_SECONDS, Date.now() / 1_000];
  if (bars) return [least - DAY_SECONDS / 2, most + DAY_SECONDS / 2];
  return [Math.min(least, most - LEAST_SECONDS), most];
}
