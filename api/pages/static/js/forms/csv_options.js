// How a CSV file is to be read, where its first rows do not tell.

import { element, freshId } from "../core/dom.js";

const AUTOMATIC = ["", "found out"];
const FIELDS = {
  header: ["First row", [["true", "names the columns"], ["false", "is data"]]],
  delimiter: ["Between cells", [["comma", "comma"], ["semicolon", "semicolon"], ["tab", "tab"], ["pipe", "pipe"]]],
  decimal: ["Before decimals", [["point", "point"], ["comma", "comma"]]],
  encoding: ["Encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "windows-1252", "iso-8859-15", "shift-jis", "gb18030"].map((name) => [name, name])],
};

/** {node, append(body)}: selects that add what was chosen to a form's body; `changed` is called after a choice. */
export function csvOptions(changed) {
  const selects = Object.entries(FIELDS).map(([name, [label, options]]) => {
    const select = element("select", { id: freshId(name), name }, [AUTOMATIC, ...options].map(([value, text]) => element("option", { value }, text)));
    select.addEventListener("change", (event) => {
      // It is no answer of the form.
      event.stopPropagation();
      changed();
    });
    return { label, select };
  });
  const fields = selects.map(({ label, select }) => element("div", { class: "field" }, element("label", { for: select.id }, label), select));
  const node = element("details", {}, element("summary", {}, "How a CSV file is read"), element("div", { class: "fields" }, fields));
  const append = (body) => selects.forEach(({ select }) => select.value && body.append(select.name, select.value));
  return { node, append };
}
