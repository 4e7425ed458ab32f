// Every bound that was evaluated: a ladder for each quantity, the rest with the reason.

import { element, table } from "../core/dom.js";
import { estimate, number, words } from "../core/format.js";
import { ladderFigure } from "../figures/ladder.js";

const onLadder = (bound) => bound.value !== null && bound.side === "upper" && bound.value !== 0;

function assumptions(bound) {
  const standing = { checked: "✓", failed: "✕", unchecked: "?" };
  return element("ul", { class: "plain" }, bound.assumptions.map((item) => element("li", {}, `${standing[item.standing] ?? "?"} ${item.text}${item.because ? ` (${item.because})` : ""}`)));
}

function valued(bounds) {
  const rows = bounds.map((bound) => [
    element("span", {}, words(bound.kind)),
    words(bound.quantity),
    `${bound.side === "lower" ? "≥" : "≤"} ${number(bound.value, 4)}`,
    bound.measured ? estimate(bound.measured) : "–",
    bound.vacuous ? "vacuous" : "informative",
    element("details", {}, element("summary", {}, `${bound.assumptions.length}`), assumptions(bound)),
  ]);
  return table("Bounds with their values", ["Bound", "Of the", "Value", "Measured", "", "Assumptions"], rows, new Set([2, 3]));
}

/** Nodes for the bounds of a fit or of an evaluation. */
export function boundsView(bounds, joint = null) {
  if (!bounds.length) return [];
  const values = bounds.filter((bound) => bound.value !== null);
  const refused = bounds.filter((bound) => bound.value === null);
  const byQuantity = Map.groupBy(values.filter(onLadder), (bound) => bound.quantity);
  const all = joint?.all_hold_with_probability_at_least;
  const promise = all > 0 ? `All ${joint.bounds} bounds hold at once with probability at least ${number(all)}.` : "Each bound holds by itself; for all of them at once the union bound promises nothing.";
  const together = joint && promise;
  return [
    element(
      "section",
      { "aria-labelledby": "bounds" },
      element("h2", { id: "bounds" }, "Bounds"),
      together && element("p", {}, together),
      element("div", { class: "plates" }, [...byQuantity].map(([quantity, members]) => ladderFigure(quantity, members))),
      values.length > 0 && element("details", { class: "after" }, element("summary", {}, `The ${values.length} values and their assumptions`), valued(values)),
      refused.length > 0 &&
        element("details", { class: "after" }, element("summary", {}, `${refused.length} bounds do not apply here`), table("Bounds that do not apply", ["Bound", "Why not"], refused.map((bound) => [words(bound.kind), bound.refused_because ?? ""]))),
    ),
  ];
}
