// A drawing of the page as an SVG file of its own: what the page's style says is written into it.

const PAINTS = ["fill", "stroke", "color"];

function plain(color) {
  // color-mix computes to color(srgb ...), which drawing programs do not read.
  const mixed = /^color\(srgb ([\d.e-]+) ([\d.e-]+) ([\d.e-]+)/.exec(color);
  return mixed ? `rgb(${mixed.slice(1).map((part) => Math.round(255 * Number(part))).join(", ")})` : color;
}

/** The text of an SVG file with the title, the present colours and their background. */
export function standaloneSvg(svg, title) {
  const copy = svg.cloneNode(true);
  const originals = [svg, ...svg.querySelectorAll("*")];
  [copy, ...copy.querySelectorAll("*")].forEach((node, index) => {
    const style = getComputedStyle(originals[index]);
    for (const paint of PAINTS) {
      if (/var\(|color-mix|currentColor/.test(node.getAttribute(paint) ?? "")) node.setAttribute(paint, plain(style[paint]));
    }
    node.removeAttribute("class");
  });
  const root = getComputedStyle(svg);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("color", plain(root.color));
  copy.setAttribute("font-family", "system-ui, sans-serif");
  copy.setAttribute("font-size", root.fontSize);
  copy.setAttribute("role", "img");
  const [name, paper] = ["title", "rect"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
  name.textContent = title;
  for (const [attribute, value] of Object.entries({ width: "100%", height: "100%", fill: plain(getComputedStyle(svg.closest("figure") ?? svg).backgroundColor) })) {
    paper.setAttribute(attribute, value);
  }
  copy.prepend(name, paper);
  for (const text of copy.querySelectorAll("text")) if (!text.getAttribute("fill")) text.setAttribute("fill", "currentColor");
  return `<?xml version="1.0" encoding="UTF-8"?>\n${new XMLSerializer().serializeToString(copy)}\n`;
}
