// A job's status in colour, sign and word.

import { element } from "./dom.js";

const SIGNS = { queued: "○", running: "◔", succeeded: "✓", failed: "✕", cancelled: "–" };

/** The status, readable without colours. */
export function badge(status) {
  return element("span", { class: `badge ${status}` }, element("span", { "aria-hidden": "true" }, SIGNS[status] ?? "·"), ` ${status}`);
}
