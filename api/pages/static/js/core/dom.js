// Elements without markup in strings: text stays text.

/** An element. Attributes: `class`, `on: {event: listener}`, booleans, and anything that setAttribute takes. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, listener] of Object.entries(value)) made.addEventListener(event, listener);
    else if (name === "value") made.value = value;
    else if (value === true) made.setAttribute(name, "");
    else made.setAttribute(name, value);
  }
  append(made, children);
  return made;
}

function append(parent, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    parent.append(child instanceof Node ? child : String(child));
  }
}

/** Put these children in the place of what an element has. */
export function fill(parent, ...children) {
  parent.replaceChildren();
  append(parent, children);
  return parent;
}

let lastNumber = 0;

/** An id that no other element has. */
export function freshId(prefix) {
  lastNumber += 1;
  return `${prefix}-${lastNumber}`;
}

/** Say it to who listens to the page. */
export function announce(text) {
  const region = document.getElementById("announcements");
  if (region) region.textContent = text;
}

/** A table that scrolls by itself where it is too wide; the cells of the columns in `numeric` are aligned right. */
export function table(caption, headings, rows, numeric = new Set(), look = "") {
  const side = (index) => (numeric.has(index) ? "number" : null);
  return element(
    "div",
    { class: `scroll ${look}`, role: "region", "aria-label": `${caption}, a table`, tabindex: "0" },
    element(
      "table",
      {},
      element("caption", { class: "visually-hidden" }, caption),
      element("thead", {}, element("tr", {}, headings.map((text, i) => element("th", { scope: "col", class: side(i) }, text)))),
      element("tbody", {}, rows.map((row) => element("tr", {}, row.map((cell, i) => element("td", { class: side(i) }, cell))))),
    ),
  );
}
