// Decompositions as the figures need them: terms, totals, and the grid of each space.

import { toNumber, words } from "./format.js";

export const TERMS = {
  approximation: { label: "approximation", color: "var(--approximation)" },
  approximation_and_noise: { label: "approximation + noise", color: "var(--approximation)" },
  estimation: { label: "estimation", color: "var(--estimation)" },
  optimization: { label: "optimization", color: "var(--optimization)" },
};

/** The terms that these cells know; on a table approximation comes with the noise where that is not identified. */
export function knownTerms(cells) {
  const has = (term) => cells.some((cell) => cell.risk_terms[term]);
  const first = has("approximation") ? "approximation" : "approximation_and_noise";
  return [first, "estimation", "optimization"].filter(has);
}

/** {value, error} of an estimate; NaN where it is not known. */
export function pair(estimate) {
  return { value: toNumber(estimate?.value), error: toNumber(estimate?.standard_error) || 0 };
}

/** What the terms sum to: the risk above the noise, or the risk where the noise is not known. */
export function total(cell, terms) {
  const sum = terms.reduce((value, term) => value + pair(cell.risk_terms[term]).value, 0);
  return { value: sum, error: pair(cell.risks.trained).error };
}

/** What `total` is called. */
export const totalName = (terms) => (terms.includes("approximation") ? "excess risk" : "risk");

const identity = ({ kind, width: _, ...rest }) => JSON.stringify([kind, rest]);

/** Cells by space and learner: [{key, name, cells, widths, sizes, terms}], sorted by width and sample size. */
export function grids(cells) {
  const groups = new Map();
  for (const cell of cells) {
    const key = `${identity(cell.hypothesis_space)}${JSON.stringify(cell.learner)}${cell.job_id}`;
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(cell);
  }
  const sorted = (values) => [...new Set(values)].sort((a, b) => a - b);
  return [...groups].map(([key, members]) => ({
    key,
    name: `${words(members[0].hypothesis_space.kind)}, ${words(members[0].learner.kind)}`,
    space: members[0].hypothesis_space.kind,
    cells: members.sort((a, b) => a.width - b.width || a.sample_size - b.sample_size),
    widths: sorted(members.map((cell) => cell.width)),
    sizes: sorted(members.map((cell) => cell.sample_size)),
    terms: knownTerms(members),
  }));
}

/** The cell of the smallest trained risk. */
export function best(cells) {
  return cells.reduce((a, b) => (pair(b.risks.trained).value < pair(a.risks.trained).value ? b : a));
}
