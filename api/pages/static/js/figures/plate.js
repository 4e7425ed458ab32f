// A figure with its heading, choices, legend, caption, downloads and its data as a table.

import { saveAs } from "../core/api.js";
import { csv } from "../core/csv.js";
import { element, fill, freshId, table } from "../core/dom.js";
import { number } from "../core/format.js";
import { standaloneSvg } from "./standalone.js";

function key(item) {
  const shapes = {
    line: `<line x1="0" y1="7" x2="18" y2="7" stroke="${item.color}" stroke-width="2.5"/>`,
    dashed: `<line x1="0" y1="7" x2="18" y2="7" stroke="${item.color}" stroke-width="2" stroke-dasharray="4 3"/>`,
    dot: `<circle cx="9" cy="7" r="4.500" fill="${item.color}"/>`,
    ring: `<circle cx="9" cy="7" r="4" fill="none" stroke="${item.color}" stroke-width="2"/>`,
    tick: `<line x1="2" y1="7" x2="16" y2="7" stroke="${item.color}" stroke-width="3"/>`,
    box: `<rect x="3" y="1" width="12" height="12" rx="2" fill="${item.color}"/>`,
  };
  const sign = element("span", { "aria-hidden": "true" });
  sign.innerHTML = `<svg width="18" height="14">${shapes[item.shape ?? "box"]}</svg>`;
  return element("li", {}, sign, item.label);
}

function chooser(choice, changed) {
  const id = freshId("choice");
  const select = element("select", { id }, choice.options.map(([value, label]) => element("option", { value }, label)));
  select.value = choice.value;
  select.addEventListener("change", () => changed(choice.name, select.value));
  return element("span", { class: "inline" }, element("label", { for: id, class: "inline" }, choice.label), select);
}

/** Draw without Plot's own style element, which the page's policy forbids; css/site.css says the same. */
function drawn(svg, label) {
  const plot = svg.tagName === "FIGURE" ? svg.querySelector("svg:last-of-type") : svg;
  for (const style of plot.querySelectorAll("style")) style.remove();
  // Parts of an image have no names of their own.
  for (const part of plot.querySelectorAll("[aria-label]")) {
    part.dataset.mark = part.getAttribute("aria-label");
    part.removeAttribute("aria-label");
  }
  plot.setAttribute("class", "plot");
  plot.setAttribute("role", "img");
  plot.setAttribute("aria-label", label);
  return plot;
}

/**
 * The figure. `view(values)` gives, for the chosen values, `{draw(width), columns, rows, legend, note}`.
 * `choices`: [{name, label, options: [[value, label], ...], value}]. The node's `refresh()` asks `view` again.
 */
export function plate({ title, name, view, choices = [], wide = false, level = "h3" }) {
  const values = Object.fromEntries(choices.map((choice) => [choice.name, choice.value]));
  const drawing = element("div", { class: "drawing" });
  const legend = element("ul", { class: "legend" });
  const note = element("figcaption");
  const data = element("div");
  const details = element("details", {}, element("summary", {}, "Data as a table"), data);
  let shown = null;
  let width = 0;

  const redraw = () => width > 0 && fill(drawing, drawn(shown.draw(width), `${title}. ${shown.note ?? ""}`));
  const showData = () => {
    if (!details.open) return;
    const numeric = new Set(shown.columns.flatMap((column, i) => (shown.rows.some((row) => typeof row[column] === "number") ? [i] : [])));
    const cells = shown.rows.slice(0, 500).map((row) => shown.columns.map((column) => (typeof row[column] === "number" ? number(row[column], 4) : (row[column] ?? "–"))));
    fill(data, table(`Data of: ${title}`, shown.columns, cells, numeric));
  };
  const refresh = () => {
    shown = view(values);
    fill(legend, (shown.legend ?? []).map(key));
    legend.hidden = !(shown.legend ?? []).length;
    note.textContent = shown.note ?? "";
    redraw();
    showData();
  };
  const changed = (choice, value) => {
    values[choice] = value;
    refresh();
  };
  const signs = () => [...legend.children].map((item) => ({ label: item.textContent, sign: item.querySelector("svg") }));
  const fullTitle = () => [title, ...choices.map((choice) => choice.options.find(([value]) => value === values[choice.name])?.[1])].join(", ");
  const file = (suffix) => [name, ...Object.values(values)].join("-") + suffix;
  const save = {
    SVG: () => saveAs(new Blob([standaloneSvg(drawing.querySelector("svg"), fullTitle(), signs())], { type: "image/svg+xml" }), file(".svg")),
    CSV: () => saveAs(new Blob([csv(shown.columns, shown.rows)], { type: "text/csv" }), file(".csv")),
  };

  details.addEventListener("toggle", showData);
  new ResizeObserver(([entry]) => {
    const now = Math.floor(entry.contentRect.width);
    if (now === width) return;
    width = now;
    redraw();
  }).observe(drawing);
  refresh();
  const figure = element(
    "figure",
    { class: wide ? "plate wide" : "plate" },
    element("div", { class: "heading" }, element(level, {}, title), choices.length > 0 && element("div", { class: "controls" }, choices.filter((choice) => choice.options.length > 1).map((choice) => chooser(choice, changed)))),
    legend,
    drawing,
    note,
    element("div", { class: "downloads" }, Object.entries(save).map(([format, run]) => element("button", { type: "button", class: "quiet small", "aria-label": `Download ${format}: ${title}`, on: { click: run } }, `↓ ${format}`))),
    details,
  );
  return Object.assign(figure, { refresh });
}
