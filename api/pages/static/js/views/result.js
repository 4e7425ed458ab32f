// The view that a result's own shape asks for; a kind without one is shown as it is.

import { element } from "../core/dom.js";
import { approximationView } from "./approximation.js";
import { boundsView } from "./bounds.js";
import { decompositionView } from "./decomposition.js";
import { fitView } from "./fit.js";

/** Nodes for a finished job: its result and the cells of its decomposition. */
export function resultView(result, cells) {
  const parts = [];
  if (cells.length) parts.push(...decompositionView(cells, result.readings ?? []));
  else if (result.spaces) parts.push(...approximationView(result.spaces));
  else if (result.risks) parts.push(...fitView(result));
  else if (result.bounds) parts.push(...boundsView(result.bounds, result.joint_confidence));
  parts.push(element("details", { class: "after" }, element("summary", {}, "The result as JSON"), element("pre", { tabindex: "0", class: "tall" }, JSON.stringify(result, null, 1))));
  return parts;
}
