// One field with its label, its explanation and a place for what is wrong with it.

import { element, freshId } from "../core/dom.js";
import { title, words } from "../core/format.js";

/** Around a control. `pointer` is the JSON pointer that the API names it by. */
export function field(label, control, { pointer, description = "", wide = false }) {
  const id = freshId("field");
  control.id = id;
  control.dataset.pointer = pointer;
  const hint = element("p", { class: "hint", id: `${id}-hint` }, description);
  const wrong = element("p", { class: "wrong", id: `${id}-wrong` });
  control.setAttribute("aria-describedby", `${id}-hint ${id}-wrong`);
  return element("div", { class: wide ? "field wide" : "field" }, element("label", { for: id }, title(words(label))), control, description && hint, wrong);
}

const shown = (value) => (value === null || value === undefined ? "automatic" : Array.isArray(value) ? value.join(", ") : String(value));

/** A number, empty where the default shall hold. */
export function numberInput(schema, value) {
  const whole = schema.type === "integer";
  const node = element("input", { type: "text", inputmode: whole ? "numeric" : "decimal", autocomplete: "off", placeholder: "default" in schema ? shown(schema.default) : null, required: !("default" in schema) });
  node.value = value ?? "";
  return { node, read: () => parsedNumber(node.value) };
}

function parsedNumber(text) {
  const trimmed = text.trim().replaceAll("−", "-");
  if (!trimmed) return undefined;
  const number = Number(trimmed);
  // The API says what is wrong with a word in the place of a number.
  return Number.isFinite(number) ? number : trimmed;
}

/** A text, empty where the default shall hold. */
export function textInput(schema, value) {
  const node = element("input", { type: "text", autocomplete: "off", spellcheck: "false", placeholder: "default" in schema ? shown(schema.default) : null });
  node.value = value ?? "";
  return { node, read: () => node.value.trim() || undefined };
}

/** Numbers or words with commas between. */
export function listInput(schema, value) {
  const node = element("input", { type: "text", autocomplete: "off", spellcheck: "false", placeholder: "default" in schema ? shown(schema.default) : "1, 2, 3" });
  node.value = (value ?? []).join(", ");
  const item = schema.items.type === "string" ? (text) => text : parsedNumber;
  return { node, read: () => (node.value.trim() ? node.value.split(/[,;]\s*|\s+/).filter(Boolean).map(item) : undefined) };
}

/** One of several words; `optional` adds the default of null. */
export function choiceInput(schema, value, options, optional) {
  const entries = [...(optional ? [["", "automatic"]] : []), ...options.map((option) => [JSON.stringify(option), words(String(option))])];
  const node = element("select", {}, entries.map(([key, label]) => element("option", { value: key }, label)));
  const start = value === undefined ? schema.default : value;
  node.value = start === null || start === undefined ? entries[0][0] : JSON.stringify(start);
  return { node, read: () => (node.value === "" ? undefined : JSON.parse(node.value)) };
}

/** Anything else, as JSON. */
export function jsonInput(schema, value) {
  const node = element("textarea", { rows: "4", spellcheck: "false" });
  node.value = value === undefined || value === null ? "" : JSON.stringify(value, null, 1);
  const read = () => {
    if (!node.value.trim()) return undefined;
    try {
      return JSON.parse(node.value);
    } catch {
      return node.value;
    }
  };
  return { node, read };
}
