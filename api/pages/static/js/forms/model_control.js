// A learned model chosen by name and version, sent as its id.

import { all } from "../core/api.js";
import { element } from "../core/dom.js";

/** Whether a text is the id of a model. */
export const takesModel = (schema) => /^\^mdl_/.test(schema.pattern ?? "");

/** The newest versions to choose from; the given id stays where it is another. */
export function modelControl(value) {
  const node = element("select", {}, element("option", { value: value ?? "" }, value ?? "asking…"));
  all("/v1/models", 500)
    .then((models) => {
      const options = models.map((model) => [model.id, `${model.name}, version ${model.version}`]);
      if (value && !options.some(([id]) => id === value)) options.unshift([value, value]);
      node.replaceChildren(...(options.length ? options : [["", "no model yet"]]).map(([id, label]) => element("option", { value: id }, label)));
      if (value) node.value = value;
      node.dispatchEvent(new Event("change", { bubbles: true }));
    })
    .catch((problem) => node.replaceChildren(element("option", { value: "" }, problem.message)));
  return { node, read: () => node.value || undefined };
}
