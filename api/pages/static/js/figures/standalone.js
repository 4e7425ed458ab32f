// A drawing of the page as an SVG file of its own: style, title and legend are written into it.

const SVG = "http://www.w3.org/2000/svg";
const PAINTS = ["fill", "stroke", "color"];
const [LINE, LETTER] = [20, 6.6];

function plain(color) {
  // color-mix computes to color(srgb ...), which drawing programs do not read.
  const mixed = /^color\(srgb ([\d.e-]+) ([\d.e-]+) ([\d.e-]+)/.exec(color);
  return mixed ? `rgb(${mixed.slice(1).map((part) => Math.round(255 * Number(part))).join(", ")})` : color;
}

function node(tag, attributes, text = null) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== null) made.textContent = text;
  return made;
}

/** The page's colours in the place of its variables. */
function painted(svg) {
  const copy = svg.cloneNode(true);
  const originals = [svg, ...svg.querySelectorAll("*")];
  [copy, ...copy.querySelectorAll("*")].forEach((one, index) => {
    const style = getComputedStyle(originals[index]);
    for (const paint of PAINTS) {
      if (/var\(|color-mix|currentColor/.test(one.getAttribute(paint) ?? "")) one.setAttribute(paint, plain(style[paint]));
    }
    one.removeAttribute("class");
  });
  return copy;
}

/** The legend's entries in as many lines as they need; `signs` are their drawings on the page. */
function legendLines(entries, width, top) {
  const group = node("g", {});
  let [x, y] = [4, top];
  for (const { label, sign } of entries) {
    const room = 26 + LETTER * label.length + 14;
    if (x > 4 && x + room > width) [x, y] = [4, y + LINE];
    const place = node("g", { transform: `translate(${x}, ${y - 11})` });
    place.append(...painted(sign).children);
    group.append(place, node("text", { x: x + 24, y }, label));
    x += room;
  }
  return { group, bottom: entries.length ? y : top - LINE };
}

/** The text of an SVG file. `legend`: [{label, sign}], the drawings of its signs as they stand on the page. */
export function standaloneSvg(svg, title, legend) {
  const [width, height] = ["width", "height"].map((side) => Number(svg.getAttribute(side)));
  const root = getComputedStyle(svg);
  const lines = legendLines(legend, width, 42);
  const head = lines.bottom + 14;
  const paper = plain(getComputedStyle(svg.closest("figure")).backgroundColor);
  const file = node("svg", { xmlns: SVG, width, height: height + head, viewBox: `0 0 ${width} ${height + head}`, color: plain(root.color), fill: "currentColor", "font-family": "system-ui, sans-serif", "font-size": root.fontSize, role: "img" });
  const drawing = node("g", { transform: `translate(0, ${head})`, "text-anchor": "middle" });
  drawing.append(...painted(svg).childNodes);
  file.append(node("title", {}, title), node("rect", { width: "100%", height: "100%", fill: paper }), node("text", { x: 4, y: 18, "font-size": 15, "font-weight": 600 }, title), lines.group, drawing);
  return `<?xml version="1.0" encoding="UTF-8"?>\n${new XMLSerializer().serializeToString(file)}\n`;
}
