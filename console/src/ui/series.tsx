/** Values over time as lines. What the newest values are is said in words beside it, for who does not see the lines. */
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

export type Line = {
  name: string;
  values: readonly (number | null)[];
  color?: "accent" | "warn" | "bad" | "ok" | "muted";
};

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

const DASHES: readonly (number[] | undefined)[] = [undefined, [6, 4], [2, 3], [10, 3, 2, 3]];
const COLORS = ["accent", "warn", "ok", "muted"] as const;

function colorOf(element: Element, name: string): string {
  // uPlot draws on a canvas, which takes no variables: the element's own colour is what the browser made of one.
  const probe = document.createElement("span");
  probe.className = `paint-${name}`;
  element.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

function optionsOf(element: HTMLElement, { lines, format, height = 180, bars = false }: SeriesProps): uPlot.Options {
  const axis = {
    stroke: colorOf(element, "muted"),
    grid: { stroke: colorOf(element, "line"), width: 1 },
    ticks: { show: false },
  };
  const paths = bars ? uPlot.paths.bars?.({ size: [0.7, 40] }) : undefined;
  return {
    width: element.clientWidth,
    height,
    cursor: { y: false, drag: { setScale: false } },
    axes: [axis, { ...axis, size: 64, values: (_, ticks) => ticks.map(format) }],
    scales: { y: { range: (_, __, max) => [0, max > 0 ? max * 1.05 : 1] } },
    series: [
      {},
      ...lines.map(({ name, color }, index) => {
        const stroke = colorOf(element, color ?? COLORS[index % COLORS.length] ?? "accent");
        // Lines differ by their dashes too.
        const dash = DASHES[index % DASHES.length];
        return {
          label: name,
          stroke,
          width: 1.5,
          points: { show: false },
          value: (_: uPlot, value: number | null) => (value === null ? "–" : format(value)),
          ...(bars ? { fill: stroke } : {}),
          ...(dash === undefined || bars ? {} : { dash }),
          ...(paths === undefined ? {} : { paths }),
        };
      }),
    ],
  };
}

export function Series(props: SeriesProps) {
  const element = useRef<HTMLDivElement>(null);
  const { label, times, lines, format } = props;
  const shape = JSON.stringify([lines.map(({ name, color }) => [name, color]), props.height, props.bars]);
  const data = [times, ...lines.map(({ values }) => values)] as uPlot.AlignedData;
  const plot = useRef<uPlot>(undefined);
  useEffect(() => {
    const parent = element.current;
    if (parent === null) return undefined;
    const draw = () => {
      plot.current?.destroy();
      plot.current = new uPlot(optionsOf(parent, props), data, parent);
    };
    draw();
    const resized = new ResizeObserver(() =>
      plot.current?.setSize({ width: parent.clientWidth, height: props.height ?? 180 }),
    );
    resized.observe(parent);
    // Another theme has other colours.
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const themed = new MutationObserver(draw);
    themed.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    dark.addEventListener("change", draw);
    return () => {
      resized.disconnect();
      themed.disconnect();
      dark.removeEventListener("change", draw);
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [shape]);
  useEffect(() => plot.current?.setData(data));
  const newest = lines.map(({ name, values }) => {
    const value = values.at(-1);
    return `${name} ${value == null ? "not known" : format(value)}`;
  });
  return (
    <figure className="series" aria-label={`${label}. Now: ${newest.join(", ")}.`} role="img">
      <div ref={element} />
    </figure>
  );
}
