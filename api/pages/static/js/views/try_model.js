// One row in, one prediction out; and the same as commands for other programs.

import { get, post } from "../core/api.js";
import { announce, element, fill, freshId } from "../core/dom.js";
import { number } from "../core/format.js";
import { problemNotice } from "../core/shell.js";
import { codeBlock } from "../forms/snippets.js";

const FIELDS_AT_MOST = 40;

function parsed(text, column) {
  const trimmed = text.trim();
  if (trimmed === "") return column.accepts_missing ? null : 0;
  return column.datatype === "BYTES" ? trimmed : Number.isFinite(Number(trimmed)) ? Number(trimmed) : trimmed;
}

function columnField(column, value) {
  const id = freshId("input");
  const missing = column.accepts_missing ? [["", "missing"]] : [];
  const control = column.levels
    ? element("select", { id }, [...missing, ...column.levels.map((level) => [String(level), String(level)])].map(([key, label]) => element("option", { value: key }, label)))
    : element("input", { id, type: "text", inputmode: column.datatype === "BYTES" ? "text" : "decimal", placeholder: column.accepts_missing ? "missing" : "0" });
  control.value = value === null || value === undefined ? (column.levels && !column.accepts_missing ? String(column.levels[0]) : "") : String(value);
  return { node: element("div", { class: "field" }, element("label", { for: id }, column.name), control), read: () => parsed(control.value, column) };
}

function rowField(columns, values) {
  const id = freshId("input");
  const area = element("textarea", { id, rows: "4", spellcheck: "false" });
  area.value = values.map((value) => value ?? "").join(", ");
  return [{ node: element("div", { class: "field wide" }, element("label", { for: id }, `${columns.length} values in the model's order, commas between`), area), read: () => area.value.split(",").map((text, i) => parsed(text, columns[i] ?? {})) }];
}

/** A row to begin with: the first of the dataset that the model was learnt from, where it is still there. */
async function firstRow(model) {
  const [dataset] = model.dataset_ids;
  if (!dataset) return {};
  const rows = await get(`/v1/datasets/${dataset}/rows?limit=1`).catch(() => ({ data: [] }));
  return rows.data[0] ?? {};
}

function answer(result) {
  const shown = result.outputs.map((name, i) => element("div", {}, element("dt", {}, name), element("dd", {}, number(result.predictions[0][i], 6))));
  return [
    result.labels && element("p", {}, "Class ", element("strong", {}, String(result.labels[0]))),
    element("dl", { class: "figures", id: "prediction" }, shown),
    element("p", { class: "hint" }, `Answered by version ${result.model.version}.`),
  ];
}

function inferBody(metadata, row) {
  const names = metadata.inputs.flatMap((input) => input.parameters?.columns ?? [input.name]);
  const inputs = metadata.inputs.map((input) => {
    const columns = input.parameters?.columns ?? [input.name];
    return { name: input.name, shape: input.shape.map((size) => (size === -1 ? 1 : size)), datatype: input.datatype, data: columns.map((column) => row[names.indexOf(column)]) };
  });
  return { inputs };
}

/** Nodes of the form and of the commands. */
export async function tryView(model) {
  const here = `/v1/models/${model.name}/versions/${model.version}`;
  const columns = model.input_schema;
  const [given, metadata] = await Promise.all([firstRow(model), get(`/v2/models/${model.name}/versions/${model.version}`)]);
  const start = columns.map(({ name, levels }) => given[name] ?? (levels ? levels[0] : Object.keys(given).length ? null : 0.5));
  const fields = columns.length > FIELDS_AT_MOST ? rowField(columns, start) : columns.map((column, i) => columnField(column, start[i]));
  const read = () => (columns.length > FIELDS_AT_MOST ? fields[0].read() : fields.map((one) => one.read()));
  const result = element("div", { "aria-live": "polite" });
  const form = element("form", { class: "card" }, element("div", { class: "fields" }, fields.map(({ node }) => node)), element("p", { class: "actions after" }, element("button", { type: "submit", class: "primary" }, "Predict")), result);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const found = await post(`${here}/predict`, { rows: [read()] });
      fill(result, answer(found));
      announce(`${found.outputs[0]}: ${number(found.predictions[0][0], 6)}`);
    } catch (problem) {
      fill(result, problemNotice(problem));
    }
  });
  const row = read();
  const v1 = `curl ${location.origin}/v1/models/${model.name}/predict --json '${JSON.stringify({ rows: [row] })}'`;
  const v2 = `curl ${location.origin}/v2/models/${model.name}/infer --json '${JSON.stringify(inferBody(metadata, row))}'`;
  return [
    element("section", { "aria-labelledby": "try" }, element("h2", { id: "try" }, "Try a prediction"), form),
    element("section", { "aria-labelledby": "embed" }, element("h2", { id: "embed" }, "From another program"), codeBlock("/v1 with curl", v1).node, codeBlock("/v2, the Open Inference Protocol, with curl", v2).node),
  ];
}
