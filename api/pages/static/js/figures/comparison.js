// One number of several grids over n or over m, each at its largest other size.

import { pair, TERMS, total } from "../core/cells.js";
import { title } from "../core/format.js";
import { AXES, tick } from "./axes.js";
import { plate } from "./plate.js";

const QUANTITIES = { total: "sum of the terms", trained: "risk R(f̂)", approximation: "approximation", estimation: "estimation", optimization: "optimization" };

function quantity(cell, grid, name) {
  if (name === "total") return total(cell, grid.terms);
  return name === "trained" ? pair(cell.risks.trained) : pair(cell.risk_terms[name]);
}

function points(grid, axis, name) {
  const { fixed, values } = AXES[axis];
  const largest = values(grid).at(-1);
  return grid.cells
    .filter((cell) => cell[fixed] === largest)
    .map((cell) => {
      const { value, error } = quantity(cell, grid, name);
      return { decomposition: grid.title, [axis]: cell[axis], [fixed]: largest, value, standard_error: error };
    });
}

/** The figure of `grids`, each with a title and a colour of its own. */
export function comparisonFigure(grids) {
  const Plot = globalThis.Plot;
  return plate({
    title: "Side by side",
    name: "comparison",
    wide: true,
    choices: [
      { name: "quantity", label: "show", options: Object.entries(QUANTITIES), value: "total" },
      { name: "axis", label: "over", options: [["sample_size", "n"], ["width", "m"]], value: "sample_size" },
    ],
    view: ({ quantity: name, axis }) => {
      const all = grids.flatMap((grid) => points(grid, axis, name).map((row) => ({ ...row, color: grid.color })));
      const rows = all.filter(({ value }) => value > 0);
      const hidden = all.length - rows.length;
      const { across, fixed } = AXES[axis];
      const label = TERMS[name]?.label ?? QUANTITIES[name];
      return {
        columns: ["decomposition", axis, fixed, "value", "standard_error"],
        rows: all,
        legend: grids.map((grid) => ({ label: grid.title, color: grid.color, shape: "line" })),
        note: `${title(label)} over the ${across}, each at its largest ${fixed.replace("_", " ")}; bars are one standard error.${hidden ? ` ${hidden} points that are negative or unknown are in the data only.` : ""}`,
        draw: (width) =>
          Plot.plot({
            width,
            height: Math.min(380, Math.max(260, width * 0.45)),
            marginLeft: 62,
            marginBottom: 42,
            marginRight: 16,
            x: { type: "log", label: across, ticks: [...new Set(rows.map((row) => row[axis]))], tickFormat: String, labelArrow: "none", insetLeft: 8, insetRight: 8 },
            y: { type: "log", label, grid: true, ticks: 5, tickFormat: tick, labelArrow: "none" },
            marks: [
              Plot.line(rows, { x: axis, y: "value", z: "decomposition", stroke: "color", strokeWidth: 2 }),
              Plot.ruleX(rows.filter((row) => row.standard_error > 0), { x: axis, y1: (row) => Math.max(row.value - row.standard_error, row.value / 3), y2: (row) => row.value + row.standard_error, stroke: "color" }),
              Plot.dot(rows, { x: axis, y: "value", fill: "color", r: 4, title: (row) => `${row.decomposition}: ${row.value}` }),
            ],
          }),
      };
    },
  });
}
