// One number for every cell of the grid, by colour and in digits.

import { pair, TERMS, total, totalName } from "../core/cells.js";
import { number, title } from "../core/format.js";
import { plate } from "./plate.js";

function shade(values) {
  const sizes = values.map(Math.abs).filter((value) => value > 0);
  const [low, high] = [Math.min(...sizes), Math.max(...sizes)].map(Math.log);
  return (value) => (value === 0 || high === low ? 0.3 : (Math.log(Math.abs(value)) - low) / (high - low));
}

/** The figure of a grid; the term is chosen. */
export function heatFigure(grid) {
  const sum = totalName(grid.terms);
  const options = [["total", sum], ...grid.terms.map((term) => [term, TERMS[term].label])];
  return plate({
    title: "The whole grid",
    wide: true,
    name: `${grid.space}-grid`,
    choices: [{ name: "term", label: "show", options, value: "total" }],
    view: ({ term }) => {
      const rows = grid.cells.map((cell) => {
        const { value, error } = term === "total" ? total(cell, grid.terms) : pair(cell.risk_terms[term]);
        return { width: cell.width, sample_size: cell.sample_size, value, standard_error: error, buy: cell.advice.buy };
      });
      const finite = rows.filter(({ value }) => Number.isFinite(value));
      const depth = shade(finite.map(({ value }) => value));
      const color = term === "total" ? "var(--series-6)" : TERMS[term].color;
      const Plot = globalThis.Plot;
      const place = { x: "sample_size", y: "width" };
      return {
        columns: ["width", "sample_size", "value", "standard_error", "buy"],
        rows,
        note: `${title(term === "total" ? sum : TERMS[term].label)} at every width and sample size, darker where larger (logarithmic); the word below says what to buy there.`,
        draw: (width) => {
          const room = (width - 56) / grid.sizes.length;
          const small = room < 62;
          return Plot.plot({
            width,
            height: 60 + Math.min(58, Math.max(38, 260 / grid.widths.length)) * grid.widths.length,
            marginLeft: 48,
            marginBottom: 40,
            x: { type: "band", label: "sample size n", tickFormat: String, padding: 0.04, labelArrow: "none", domain: grid.sizes },
            y: { type: "band", label: "width m", tickFormat: String, padding: 0.04, labelArrow: "none", domain: [...grid.widths].reverse() },
            marks: [
              Plot.cell(finite, { ...place, rx: 3, fill: ({ value }) => `color-mix(in srgb, ${value < 0 ? "var(--noise)" : color} ${Math.round(8 + 78 * depth(value))}%, var(--card))` }),
              Plot.text(finite, { ...place, text: ({ value }) => number(value, small ? 2 : 3), dy: -8, fontSize: small ? 10.5 : 13, fontWeight: 600, fill: ({ value }) => (depth(value) > 0.6 ? "var(--card)" : "var(--ink)") }),
              Plot.text(finite, { ...place, text: "buy", dy: 9, fontSize: small ? 9.5 : 11.5, fill: ({ value }) => (depth(value) > 0.6 ? "var(--card)" : "var(--ink)") }),
            ],
          });
        },
      };
    },
  });
}
