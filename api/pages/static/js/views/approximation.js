// What a measurement of approximation rates says: a sentence for each space, the figure, the exponents.

import { element, table } from "../core/dom.js";
import { estimate, number } from "../core/format.js";
import { approximationFigure, spaceName } from "../figures/approximation.js";

const between = ({ value, lower, upper }) => `${number(value)} (${number(lower)} to ${number(upper)})`;

function exponents(spaces) {
  const row = (space) => [
    spaceName(space, spaces),
    space.exponent ? between(space.exponent) : "–",
    space.theory ? number(space.theory.exponent) : "–",
    space.local_exponents.map(({ value }) => number(value)).join(", ") || "–",
    space.curvature ? between(space.curvature) : "–",
  ];
  return table("Exponents, with intervals of 95 %", ["Space", "Fitted", "Promised", "Between neighbouring widths", "Curvature"], spaces.map(row), new Set([1, 2, 3, 4]));
}

function everyError(spaces) {
  const rows = spaces.flatMap((space) => space.widths.map((width, i) => [spaceName(space, spaces), width, estimate(space.errors[i]), space.errors[i].method.replaceAll("_", " ")]));
  return element("details", {}, element("summary", {}, `All ${rows.length} errors as a table`), table("Squared errors of the best functions", ["Space", "m", "E|f* − f_m|²", "Method"], rows, new Set([1, 2])));
}

/** Nodes for the spaces of a result. */
export function approximationView(spaces) {
  return [
    element("div", { class: "notice advice", id: "advice" }, spaces.map(({ reading }) => element("p", {}, reading))),
    approximationFigure(spaces),
    element("div", { class: "after" }, exponents(spaces)),
    everyError(spaces),
  ];
}
