// A form from a JSON Schema. Every control is {node, read()}; undefined means that the default holds.

import { element, fill, freshId } from "../core/dom.js";
import { title, words } from "../core/format.js";
import { datasetControl, takesDataset } from "./dataset_control.js";
import { choiceInput, field, jsonInput, listInput, numberInput, textInput } from "./fields.js";
import { modelControl, takesModel } from "./model_control.js";
import { editor, inner, resolved, union, withExample } from "./schema.js";

const OPTIONS_SHOWN = 3;

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/** The control of one property. `context`: {root, examples}. */
function control(context, name, schema, value, pointer) {
  const how = editor(context.root, schema);
  const own = inner(context.root, schema);
  const { optional } = schema.discriminator ? { optional: false } : union(schema);
  const around = { pointer, description: schema.description ?? "" };
  const single = {
    constant: () => ({ node: null, read: () => schema.const }),
    choice: () => choiceInput(schema, value, own.enum, optional),
    boolean: () => choiceInput(schema, value, [true, false], optional),
    number: () => numberInput({ ...own, ...("default" in schema && { default: schema.default }) }, value),
    text: () => (takesModel(own) ? modelControl(value) : textInput(own, value)),
    list: () => listInput(own, value),
    json: () => jsonInput(own, value),
  };
  if (how in single) {
    const made = single[how]();
    return { ...made, node: made.node && field(name, made.node, { ...around, wide: ["json", "list"].includes(how) }) };
  }
  if (how === "kinds") return kindControl(context, name, own, value, around);
  if (how === "several") return severalControl(context, name, schema, value, around);
  if (how === "alternatives") return alternativesControl(name, schema, value, around);
  return objectControl(context, own, value, pointer, name);
}

/** The properties of an object: what must be given and the first options in view, the rest folded. */
export function objectControl(context, schema, value = {}, pointer = "", legend = null) {
  const parts = {};
  const special = takesDataset(schema) ? datasetControl(schema, value, pointer) : null;
  const [shown, folded] = [[], []];
  let options = 0;
  for (const [name, property] of Object.entries(schema.properties)) {
    if (special?.names.includes(name)) continue;
    const part = control(context, name, resolved(context.root, property), value?.[name], `${pointer}/${name}`);
    parts[name] = { ...part, schema: property };
    if (!part.node) continue;
    const optional = "default" in property;
    (optional && options >= OPTIONS_SHOWN && !(value && name in value) ? folded : shown).push(part.node);
    options += optional ? 1 : 0;
  }
  const more = folded.length > 0 && element("details", { class: "wide" }, element("summary", {}, `${folded.length} more option${folded.length > 1 ? "s" : ""}`), element("div", { class: "fields" }, folded));
  const body = element("div", { class: "fields" }, special?.node, pointer ? [shown, more] : topLevel(shown, more));
  const node = legend ? element("fieldset", { class: "kinds" }, element("legend", {}, title(words(legend))), body) : body;
  const read = () => {
    const object = special ? special.read() : {};
    for (const [name, part] of Object.entries(parts)) {
      const given = part.read();
      if (given !== undefined && !("default" in part.schema && same(given, part.schema.default))) object[name] = given;
    }
    return object;
  };
  return { node, read };
}

/** The groups of a job one under the other, its own fields together in a last one. */
function topLevel(shown, more) {
  const group = (node) => node.matches("fieldset, .several-around");
  const own = shown.filter((node) => !group(node));
  return [shown.filter(group), (own.length > 0 || more) && element("div", { class: "loose fields wide" }, own, more)];
}

/** A kind and its parameters; another kind brings its own. */
function kindControl(context, name, schema, value, around) {
  const mapping = schema.discriminator.mapping;
  const kinds = Object.keys(mapping);
  const select = element("select", {}, kinds.map((kind) => element("option", { value: kind }, words(kind))));
  const place = element("div");
  let parameters = null;
  const show = (given) => {
    const own = resolved(context.root, { $ref: mapping[select.value] });
    parameters = objectControl(context, own, given ?? withExample(select.value, own.properties, context.examples), around.pointer);
    fill(place, parameters.node);
  };
  select.value = value?.kind ?? kinds[0];
  select.addEventListener("change", () => show(null));
  show(value);
  const id = freshId("group");
  const node = element("fieldset", { class: "kinds", "aria-describedby": id }, element("legend", {}, title(words(name))), field("kind", select, { pointer: `${around.pointer}/kind` }), place, around.description && element("p", { class: "hint", id }, around.description));
  return { node, read: () => parameters.read() };
}

/** One or several of a kind. */
function severalControl(context, name, schema, value, around) {
  const one = schema.oneOf?.[0] ?? schema.anyOf[0];
  const most = (schema.oneOf ?? schema.anyOf)[1].maxItems ?? Infinity;
  const place = element("div", { class: "several" });
  const items = [];
  const removed = (item) => () => {
    items.splice(items.indexOf(item), 1);
    item.node.remove();
    update();
  };
  const more = element("button", { type: "button", class: "small", on: { click: () => (add(undefined), update()) } }, `Add another ${words(name)}`);
  const update = () => {
    items.forEach((item) => (item.remove.hidden = items.length === 1));
    more.hidden = items.length >= most;
    place.dispatchEvent(new Event("change", { bubbles: true }));
  };
  const add = (given) => {
    const item = kindControl(context, name, one, given, { pointer: around.pointer, description: "" });
    item.remove = element("button", { type: "button", class: "small quiet" }, `Remove this ${words(name)}`);
    item.remove.addEventListener("click", removed(item));
    item.node.append(item.remove);
    items.push(item);
    place.append(item.node);
  };
  for (const given of [value].flat()) add(given);
  update();
  return {
    node: element("div", { class: "several-around wide" }, place, more, around.description && element("p", { class: "hint" }, around.description)),
    read: () => (items.length === 1 ? items[0].read() : items.map((item) => item.read())),
  };
}

/** One of the words, or a value of one's own as JSON. */
function alternativesControl(name, schema, value, around) {
  const literals = union(schema).choices.flatMap((choice) => ("const" in choice ? [choice.const] : (choice.enum ?? [])));
  const json = jsonInput(schema, literals.includes(value) ? undefined : value);
  const select = element("select", {}, literals.map((literal) => element("option", { value: JSON.stringify(literal) }, words(String(literal)))), element("option", { value: "" }, "as JSON"));
  const start = value === undefined ? schema.default : value;
  select.value = literals.includes(start) ? JSON.stringify(start) : "";
  const own = field(`${name} as JSON`, json.node, { pointer: `${around.pointer}/0`, wide: true });
  const update = () => (own.hidden = select.value !== "");
  select.addEventListener("change", update);
  update();
  return { node: element("div", { class: "contents" }, field(name, select, around), own), read: () => (select.value ? JSON.parse(select.value) : json.read()) };
}

/** Mark what the API refused; what names no field is left to the caller. */
export function markErrors(form, errors) {
  for (const node of form.querySelectorAll("[aria-invalid]")) node.removeAttribute("aria-invalid");
  for (const node of form.querySelectorAll(".wrong")) node.textContent = "";
  return errors.filter(({ pointer, detail }) => {
    let path = pointer.replace(/^\/spec/, "");
    // The control of the field itself, or of what it is a part of: an entry of a list has none of its own.
    for (; path; path = path.slice(0, path.lastIndexOf("/"))) {
      const node = form.querySelector(`:is(input,select,textarea)[data-pointer="${CSS.escape(path)}"]`);
      if (!node) continue;
      node.setAttribute("aria-invalid", "true");
      document.getElementById(`${node.id}-wrong`).textContent = detail;
      return false;
    }
    return true;
  });
}
