// The squared error of the best function of each space over m, with the fitted exponent and the promised one.

import { number, words } from "../core/format.js";
import { tick } from "./axes.js";
import { plate } from "./plate.js";

const COLORS = 6;
const color = (index) => `var(--series-${1 + (index % COLORS)})`;

/** Of spaces of one kind the differing parameters tell them apart. */
export function spaceName({ hypothesis_space: space }, spaces) {
  const twins = spaces.filter((other) => other.hypothesis_space.kind === space.kind).map((other) => other.hypothesis_space);
  const differ = Object.keys(space).filter((name) => twins.some((twin) => twin[name] !== space[name]));
  return [words(space.kind), ...differ.map((name) => `${words(name)} ${space[name]}`)].join(", ");
}

/** A line of slope `exponent` through the fitted widths, at the height of the mean of the logarithms. */
function line(space, exponent) {
  const points = space.widths.map((width, i) => ({ width, value: space.errors[i].value })).filter(({ width }) => space.fitted_widths.includes(width));
  const mean = (values) => values.reduce((sum, value) => sum + Math.log(value), 0) / values.length;
  const [u, v] = [mean(points.map(({ width }) => width)), mean(points.map(({ value }) => value))];
  return [points[0], points.at(-1)].map(({ width }) => ({ width, value: Math.exp(v + exponent * (Math.log(width) - u)) }));
}

/** The figure of a result of kind approximation_rate. */
export function approximationFigure(spaces) {
  const Plot = globalThis.Plot;
  return plate({
    title: "Error of the best function over m",
    name: "approximation-rate",
    wide: true,
    view: () => {
      const rows = spaces.flatMap((space, index) =>
        space.widths.map((width, i) => ({ space: spaceName(space, spaces), width, value: space.errors[i].value, standard_error: space.errors[i].standard_error, color: color(index) })),
      );
      const shown = rows.filter(({ value }) => value > 0);
      const lines = (exponent) => spaces.flatMap((space, index) => (space.fitted_widths.length && exponent(space) !== null ? line(space, exponent(space)).map((point) => ({ ...point, color: color(index) })) : []));
      const fitted = lines((space) => space.exponent?.value ?? null);
      const promised = lines((space) => space.theory?.exponent ?? null);
      const mark = { x: "width", y: "value", z: "color", stroke: "color" };
      return {
        columns: ["space", "width", "value", "standard_error"],
        rows,
        legend: [
          ...spaces.map((space, index) => ({ label: space.exponent ? `${spaceName(space, spaces)}: m^${number(space.exponent.value)}` : spaceName(space, spaces), color: color(index), shape: "dot" })),
          { label: "fitted", color: "var(--edge)", shape: "line" },
          ...(promised.length ? [{ label: "promised by theory, at least", color: "var(--edge)", shape: "dashed" }] : []),
        ],
        note: "Squared error of the best function at common test points; bars are one standard error. Lines pass the middle of the widths that were fitted.",
        draw: (width) =>
          Plot.plot({
            width,
            height: Math.min(400, Math.max(270, width * 0.5)),
            marginLeft: 62,
            marginBottom: 42,
            marginRight: 16,
            x: { type: "log", label: "width m", ticks: [...new Set(rows.map((row) => row.width))], tickFormat: String, labelArrow: "none", insetLeft: 8, insetRight: 8 },
            y: { type: "log", label: "E|f* − f_m|²", grid: true, ticks: 5, tickFormat: tick, labelArrow: "none" },
            marks: [
              Plot.line(promised, { ...mark, strokeDasharray: "5 4", strokeWidth: 1.6 }),
              Plot.line(fitted, { ...mark, strokeWidth: 1.6 }),
              Plot.ruleX(shown.filter((row) => row.standard_error > 0), { x: "width", y1: (row) => Math.max(row.value - row.standard_error, row.value / 3), y2: (row) => row.value + row.standard_error, stroke: "color" }),
              Plot.dot(shown, { x: "width", y: "value", fill: "color", r: 4, title: (row) => `${row.space} at m = ${row.width}: ${row.value}` }),
            ],
          }),
      };
    },
  });
}
