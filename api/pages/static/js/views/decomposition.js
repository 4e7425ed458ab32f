// What a decomposition says: the advice, then the budget, the rates and the grid of every space.

import { best, grids, pair, total, totalName } from "../core/cells.js";
import { element, table } from "../core/dom.js";
import { estimate, words } from "../core/format.js";
import { hasAxis } from "../figures/axes.js";
import { budgetFigure } from "../figures/budget.js";
import { heatFigure } from "../figures/heat.js";
import { ratesFigure } from "../figures/rates.js";

const AXIS_NAMES = ["sample_size", "width"];

function advice(cells) {
  const cell = best(cells);
  const where = `At the smallest risk, ${words(cell.hypothesis_space.kind)} with m = ${cell.width} and n = ${cell.sample_size}`;
  return element("div", { class: "notice advice", id: "advice" }, element("strong", {}, cell.advice.because), element("p", { class: "hint" }, `${where}; R(f̂) = ${estimate(cell.risks.trained)}.`));
}

function overview(found) {
  const row = (grid) => {
    const cell = best(grid.cells);
    const { terms } = grid;
    const sum = total(cell, terms);
    return [grid.name, cell.width, cell.sample_size, ...terms.map((term) => estimate(cell.risk_terms[term])), estimate({ value: sum.value, standard_error: sum.error }), cell.advice.buy];
  };
  const { terms } = found[0];
  return table("The best cell of every space", ["Space, learner", "m", "n", ...terms.map(words), totalName(terms), "Buy"], found.map(row), new Set([1, 2, 3, 4, 5, 6]));
}

function everyCell(grid) {
  const { terms } = grid;
  const rows = grid.cells.map((cell) => [cell.width, cell.sample_size, ...terms.map((term) => estimate(cell.risk_terms[term])), estimate(cell.risks.trained), estimate(cell.risks.trained_empirical), cell.advice.buy]);
  const headings = ["m", "n", ...terms.map(words), "R(f̂)", "R̂ₙ(f̂)", "Buy"];
  return element("details", {}, element("summary", {}, `All ${rows.length} cells as a table`), table(`Cells of ${grid.name}`, headings, rows, new Set(headings.slice(0, -1).keys())));
}

function section(grid, said) {
  const axes = AXIS_NAMES.filter((axis) => hasAxis(grid, axis));
  return element(
    "section",
    { "aria-label": grid.name },
    element("h2", {}, grid.name),
    said && element("p", {}, said.reading),
    element("div", { class: "plates" }, (axes.length ? axes : ["sample_size"]).map((axis) => budgetFigure(grid, axis)), axes.map((axis) => ratesFigure(grid, axis, said?.theory)), axes.length === 2 && heatFigure(grid)),
    everyCell(grid),
  );
}

/** Nodes for the cells of one job; `readings`: the job's own sentences and what theory promises, one for each space. */
export function decompositionView(cells, readings = []) {
  const found = grids(cells.filter((cell) => Number.isFinite(pair(cell.risks.trained).value)));
  if (!found.length) return [element("p", { class: "empty" }, "No cell of this decomposition has a finite risk.")];
  return [
    advice(found.flatMap((grid) => grid.cells)),
    found.length > 1 && element("section", { "aria-labelledby": "overview" }, element("h2", { id: "overview" }, "Every space at its best"), overview(found)),
    ...found.map((grid, index) => section(grid, readings[index]?.hypothesis_space === grid.space ? readings[index] : null)),
  ];
}
