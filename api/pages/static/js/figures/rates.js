// Terms against n or m on log-log axes, with the fitted exponent and the one that theory names.

import { pair, TERMS, total, totalName } from "../core/cells.js";
import { number } from "../core/format.js";
import { powerLaw } from "../core/slopes.js";
import { along, AXES, fixedChoice, tick } from "./axes.js";
import { plate } from "./plate.js";

// The term that is fitted along each axis.
const FITTED = { sample_size: "estimation", width: "approximation" };

function series(cells, axis, terms) {
  const names = [...terms.filter((term) => term !== "approximation_and_noise"), "total"];
  return names.flatMap((term) =>
    cells.map((cell) => {
      const { value, error } = term === "total" ? total(cell, terms) : pair(cell.risk_terms[term]);
      return { [axis]: cell[axis], term: term === "total" ? totalName(terms) : term, color: term === "total" ? "var(--risk)" : TERMS[term].color, value, standard_error: error };
    }),
  );
}

function guide(law, slope, points, axis) {
  if (slope === undefined || !points.length) return [];
  const first = points[0];
  const last = points.at(-1);
  return [first, last].map((point) => ({ [axis]: point[axis], value: first.value * (point[axis] / first[axis]) ** slope, law }));
}

/** The figure over one axis of a grid. `theory`: {term: {exponent, because} or null}, null where nothing is known of f*. */
export function ratesFigure(grid, axis, theory) {
  const { symbol, across, fixedSymbol } = AXES[axis];
  const term = FITTED[axis];
  const promise = theory?.[term];
  const law = promise && `${symbol}^${number(promise.exponent)}`;
  const told = promise ? ` At least ${law} is promised: ${promise.because}.` : theory ? ` No theorem here tells the rate of ${term}.` : "";
  return plate({
    title: `Rate in ${symbol}`,
    name: `${grid.space}-rate-in-${symbol}`,
    choices: [fixedChoice(grid, axis)],
    view: ({ at }) => {
      const all = series(along(grid, axis, at), axis, grid.terms).filter(({ value }) => Number.isFinite(value));
      const rows = all.filter(({ value }) => value > 0);
      const negative = all.filter(({ value }) => value < 0).map((row) => ({ ...row, value: -row.value }));
      const own = rows.filter((row) => row.term === term);
      const clear = own.filter((row) => row.value > 2 * row.standard_error);
      const fit = powerLaw(clear.map((row) => ({ x: row[axis], y: row.value, error: row.standard_error })));
      const line = fit ? [clear[0], clear.at(-1)].map((row) => ({ [axis]: row[axis], value: fit.at(row[axis]) })) : [];
      const promised = guide(law, promise?.exponent, clear, axis);
      const error = fit && Number.isFinite(fit.standardError) ? ` ± ${number(fit.standardError, 2)}` : "";
      const fitted = fit ? `Fitted slope of ${term}: ${number(fit.slope)}${error} over ${fit.points} points that exceed twice their error.` : `Too few points of ${term} exceed twice their error to fit a slope.`;
      const low = Math.min(...rows.map(({ value }) => value), ...negative.map(({ value }) => value));
      const Plot = globalThis.Plot;
      const dots = (data, options) => Plot.dot(data, { x: axis, y: "value", r: 3.5, ...options });
      const names = [...new Set(all.map((row) => row.term))];
      return {
        columns: [axis, "term", "value", "standard_error"],
        rows: all,
        legend: [
          ...names.map((name) => ({ label: name, color: all.find((row) => row.term === name).color, shape: "line" })),
          ...(negative.length ? [{ label: "negative, by size", color: "var(--soft)", shape: "ring" }] : []),
          ...(line.length ? [{ label: "fitted", color: "var(--edge)", shape: "line" }] : []),
          ...(promised.length ? [{ label: `theory: ${law}`, color: "var(--edge)", shape: "dashed" }] : []),
        ],
        note: `${fitted}${told} At ${fixedSymbol} = ${at}; bars are one standard error.`,
        draw: (width) =>
          Plot.plot({
            width,
            height: Math.min(340, Math.max(250, width * 0.62)),
            marginLeft: 58,
            marginBottom: 40,
            marginRight: 16,
            x: { type: "log", label: across, ticks: [...new Set(all.map((row) => row[axis]))], tickFormat: String, labelArrow: "none", insetLeft: 8, insetRight: 8 },
            y: { type: "log", label: "label units squared", grid: true, ticks: 5, tickFormat: tick, labelArrow: "none" },
            marks: [
              Plot.line(promised, { x: axis, y: "value", stroke: "var(--edge)", strokeDasharray: "5 4", strokeWidth: 1.6 }),
              Plot.line(rows, { x: axis, y: "value", z: "term", stroke: "color", strokeWidth: 1.5, strokeOpacity: 0.85 }),
              Plot.line(line, { x: axis, y: "value", stroke: "var(--edge)", strokeWidth: 2.5 }),
              Plot.ruleX(rows.filter((row) => row.standard_error > 0), { x: axis, y1: (row) => Math.max(row.value - row.standard_error, Math.min(row.value, low) * 0.7), y2: (row) => row.value + row.standard_error, stroke: "color" }),
              dots(rows, { fill: "color", title: (row) => `${row.term} at ${symbol} = ${row[axis]}: ${row.value}` }),
              dots(negative, { stroke: "color", fill: "var(--card)", strokeWidth: 1.8, title: (row) => `${row.term} at ${symbol} = ${row[axis]}: −${row.value}` }),
            ],
          }),
      };
    },
  });
}
