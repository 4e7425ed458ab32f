// Any decompositions side by side; the address holds the selection.

import { all, get } from "../core/api.js";
import { best, grids, total, totalName } from "../core/cells.js";
import { summary } from "../core/describe.js";
import { element, fill, table } from "../core/dom.js";
import { ago, estimate } from "../core/format.js";
import { fillWith, problemNotice, startPage } from "../core/shell.js";
import { hasAxis } from "../figures/axes.js";
import { budgetFigure } from "../figures/budget.js";
import { comparisonFigure } from "../figures/comparison.js";

const COLORS = 6;
const place = document.getElementById("comparison");
const chosen = () => new URLSearchParams(location.search).getAll("job");

function choose(id, on) {
  const wanted = on ? [...chosen(), id] : chosen().filter((other) => other !== id);
  const query = new URLSearchParams(wanted.map((job) => ["job", job]));
  history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
  compare();
}

function option(job) {
  const box = element("input", { type: "checkbox", checked: chosen().includes(job.id), on: { change: (event) => choose(job.id, event.target.checked) } });
  return element("label", { class: "option" }, box, element("span", {}, summary(job.spec)), element("span", { class: "hint" }, ago(job.created_at)));
}

/** Jobs that went over a grid: what they ask for says so, whatever their kind is called. */
async function selection() {
  const jobs = (await all("/v1/jobs?status=succeeded", 500)).filter((job) => job.spec.widths && job.spec.sample_sizes);
  if (!jobs.length) return element("div", { class: "empty" }, element("p", {}, "No decomposition is finished yet."), element("a", { class: "button primary", href: "/new" }, "Decompose an error"));
  return element("fieldset", { class: "card options" }, element("legend", {}, "Decompositions"), jobs.map(option));
}

async function gridsOf(id) {
  const [job, cells] = await Promise.all([get(`/v1/jobs/${encodeURIComponent(id)}`), all(`/v1/decompositions?job_id=${encodeURIComponent(id)}&order=asc`)]);
  const [data] = summary(job.spec).split(" · ");
  return grids(cells).map((grid) => ({ ...grid, job: id, title: `${grid.name} on ${data}` }));
}

function bestTable(found) {
  const row = (grid) => {
    const cell = best(grid.cells);
    const sum = total(cell, grid.terms);
    return [element("a", { href: `/jobs/${grid.job}` }, grid.title), cell.width, cell.sample_size, ...[0, 1, 2].map((i) => estimate(cell.risk_terms[grid.terms[i]])), `${estimate({ value: sum.value, standard_error: sum.error })}${totalName(grid.terms) === "risk" ? " with the noise" : ""}`, cell.advice.buy];
  };
  return table("The best cell of each", ["Decomposition", "m", "n", "Approximation", "Estimation", "Optimization", "Excess risk", "Buy"], found.map(row), new Set([1, 2, 3, 4, 5, 6]));
}

let turn = 0;

async function compare() {
  const mine = ++turn;
  const ids = [...new Set(chosen())];
  if (!ids.length) return fill(place, element("p", { class: "hint" }, "Choose one or more above."));
  try {
    const found = (await Promise.all(ids.map(gridsOf))).flat().map((grid, i) => ({ ...grid, color: `var(--series-${1 + (i % COLORS)})` }));
    if (mine !== turn) return undefined;
    const budgets = found.map((grid) => element("div", {}, element("h3", {}, grid.title), budgetFigure(grid, hasAxis(grid, "sample_size") ? "sample_size" : "width", "h4")));
    return fill(place, element("section", { "aria-label": "Best cells" }, element("h2", {}, "At their best"), bestTable(found)), element("section", { "aria-label": "Figure" }, element("div", { class: "plates" }, comparisonFigure(found))), element("section", { "aria-label": "Budgets" }, element("h2", {}, "Error budgets"), element("div", { class: "plates" }, budgets)));
  } catch (problem) {
    return fill(place, problemNotice(problem, compare));
  }
}

startPage();
fillWith(document.getElementById("selection"), selection);
compare();
