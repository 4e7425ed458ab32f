// The error budget: stacked terms with error bars; what is negative hangs below zero.

import { pair, TERMS, total, totalName } from "../core/cells.js";
import { along, AXES, fixedChoice, tick } from "./axes.js";
import { plate } from "./plate.js";

function stacked(cells, axis, terms) {
  const bars = [];
  for (const cell of cells) {
    const ends = { up: 0, down: 0 };
    terms.forEach((term, index) => {
      const { value, error } = pair(cell.risk_terms[term]);
      if (!Number.isFinite(value)) return;
      const side = value < 0 ? "down" : "up";
      const start = ends[side];
      ends[side] += value;
      bars.push({ [axis]: cell[axis], term, label: TERMS[term].label, value, standard_error: error, start, end: ends[side], shift: index - (terms.length - 1) / 2 });
    });
  }
  return bars;
}

/** The figure over one axis of a grid. */
export function budgetFigure(grid, axis, level = "h3") {
  const { symbol, across, fixedSymbol } = AXES[axis];
  const { terms } = grid;
  const sum = totalName(terms);
  return plate({
    level,
    title: `Error budget over ${symbol}`,
    name: `${grid.space}-budget-over-${symbol}`,
    choices: [fixedChoice(grid, axis)],
    view: ({ at }) => {
      const cells = along(grid, axis, at);
      const bars = stacked(cells, axis, terms);
      const totals = cells.map((cell) => ({ [axis]: cell[axis], term: sum, ...total(cell, terms) })).filter(({ value }) => Number.isFinite(value));
      const Plot = globalThis.Plot;
      // Round-off is no regularization.
      const negative = bars.some(({ value }, _, all) => value < -1e-9 * Math.max(...all.map((bar) => Math.abs(bar.value))));
      return {
        columns: [axis, "term", "value", "standard_error"],
        rows: [...bars, ...totals.map(({ value, error, ...row }) => ({ ...row, value, standard_error: error }))],
        legend: [...terms.map((term) => ({ label: TERMS[term].label, color: TERMS[term].color })), { label: `their sum, the ${sum}`, color: "var(--risk)", shape: "tick" }],
        note: `Mean over the seeds at ${fixedSymbol} = ${at}; error bars are one standard error of each term.${negative ? " A negative term lowers the risk: regularization does better than the best fit of the sample." : ""}`,
        draw: (width) => {
          const offset = Math.min(9, (width - 70) / cells.length / 6);
          return Plot.plot({
            width,
            height: Math.min(340, Math.max(250, width * 0.62)),
            marginLeft: 54,
            marginBottom: 40,
            x: { type: "band", label: across, padding: 0.3, tickFormat: String, labelArrow: "none" },
            y: { label: sum, grid: true, tickFormat: tick, nice: true, labelArrow: "none" },
            marks: [
              Plot.rectY(bars, { x: axis, y1: "start", y2: "end", fill: (bar) => TERMS[bar.term].color, title: (bar) => `${bar.label} at ${symbol} = ${bar[axis]}: ${bar.value}` }),
              Plot.ruleY([0], { stroke: "var(--ink)" }),
              ...terms.flatMap((term) => {
                const own = bars.filter((bar) => bar.term === term && bar.standard_error > 0);
                const ends = { x: axis, y1: (bar) => bar.end - bar.standard_error, y2: (bar) => bar.end + bar.standard_error, dx: offset * (own[0]?.shift ?? 0), stroke: "var(--ink)" };
                return own.length ? [Plot.ruleX(own, { ...ends, strokeWidth: 1.4, strokeOpacity: 0.75 })] : [];
              }),
              Plot.tickY(totals, { x: axis, y: "value", stroke: "var(--risk)", strokeWidth: 3 }),
            ],
          });
        },
      };
    },
  });
}
