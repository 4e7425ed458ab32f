// A table: dropped or chosen, previewed, with a role for every column.

import { all, get, send } from "../core/api.js";
import { announce, element, fill, freshId } from "../core/dom.js";
import { bytes, count, number } from "../core/format.js";
import { csvOptions } from "./csv_options.js";

const ROLES = { feature: "input", category: "input, category", target: "target", class: "target, class", ignored: "not used" };
const NAMES = ["dataset_id", "target_columns", "feature_columns", "category_columns"];
const FEW_LEVELS = 50;

/** Whether an object is rows of a dataset with column roles. */
export const takesDataset = (schema) => NAMES.slice(0, 2).every((name) => name in schema.properties);

/** Numbers are inputs, text with few values is a category, the last number is the target. */
function likelyRoles(columns) {
  const roles = new Map(columns.map(({ name, type, distinct }) => [name, type === "number" ? "feature" : type === "text" && distinct !== null && distinct <= FEW_LEVELS ? "category" : "ignored"]));
  const last = columns.findLast(({ type }) => type === "number");
  if (last) roles.set(last.name, "target");
  return roles;
}

function givenRoles(columns, value) {
  const roles = likelyRoles(columns);
  const has = (list, name) => (value[list] ?? []).includes(name);
  for (const { name, type } of columns) {
    const category = has("category_columns", name);
    if (has("target_columns", name)) roles.set(name, category ? "class" : "target");
    else if (value.feature_columns && !has("feature_columns", name)) roles.set(name, "ignored");
    else roles.set(name, category ? "category" : type === "number" ? "feature" : "ignored");
  }
  return roles;
}

/** The members of the specification that the roles stand for. */
function members(dataset, roles) {
  const of = (...wanted) => dataset.columns.map(({ name }) => name).filter((name) => wanted.includes(roles.get(name)));
  const categories = of("category", "class");
  const leftOut = dataset.columns.some(({ name, type }) => type === "number" && roles.get(name) === "ignored");
  return { dataset_id: dataset.id, target_columns: of("target", "class"), ...(leftOut && { feature_columns: of("feature", "category") }), ...(categories.length && { category_columns: categories }) };
}

function missing(column) {
  const gone = column.nulls + column.non_finite;
  return gone ? `${column.type}, ${count(gone)} missing` : column.type;
}

function preview(dataset, rows, roles) {
  const role = (column) => {
    const select = element("select", { "aria-label": `Role of ${column.name}` }, Object.entries(ROLES).filter(([name]) => column.type === "number" || name === "category" || name === "class" || name === "ignored").map(([name, label]) => element("option", { value: name }, label)));
    select.value = roles.get(column.name);
    const mark = () => (select.dataset.role = select.value);
    select.addEventListener("change", () => (roles.set(column.name, select.value), mark()));
    mark();
    return select;
  };
  const shown = (value) => (value === null ? "–" : typeof value === "number" ? number(value, 5) : String(value).slice(0, 40));
  return element(
    "div",
    { class: "scroll preview", role: "region", tabindex: "0", "aria-label": `First rows of ${dataset.name}` },
    element(
      "table",
      {},
      element("thead", {}, element("tr", {}, dataset.columns.map((column) => element("th", { scope: "col" }, element("span", { class: "name" }, column.name), element("span", { class: "hint" }, missing(column)), role(column))))),
      element("tbody", {}, rows.map((row) => element("tr", {}, dataset.columns.map(({ name, type }) => element("td", { class: type === "number" ? "number" : null }, shown(row[name])))))),
    ),
  );
}

function dropZone(take) {
  const id = freshId("file");
  const input = element("input", { type: "file", id, class: "visually-hidden", accept: ".csv,.tsv,.parquet,.arrow,.arrows,.ipc,.feather,.ndjson,.jsonl,.npz" });
  const zone = element("label", { class: "drop", for: id }, element("strong", {}, "Drop a table here"), element("span", { class: "hint" }, "or choose a file: CSV, Parquet, Arrow, NDJSON, NPZ"));
  const over = (on) => (event) => {
    event.preventDefault();
    zone.classList.toggle("over", on);
  };
  zone.addEventListener("dragover", over(true));
  zone.addEventListener("dragleave", over(false));
  zone.addEventListener("drop", (event) => {
    over(false)(event);
    if (event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
  });
  input.addEventListener("change", (event) => {
    // What the file input says is no answer of the form.
    event.stopPropagation();
    if (input.files.length) take(input.files[0]);
    input.value = "";
  });
  return element("div", { class: "drop-around" }, input, zone);
}

/** {node, read, names}: the control that stands for `names` of the object. */
export function datasetControl(schema, value, pointer) {
  let dataset = null;
  let roles = new Map();
  const status = element("p", { class: "hint", role: "status" });
  const select = element("select", { id: freshId("dataset"), "data-pointer": `${pointer}/dataset_id` });
  const wrong = element("p", { class: "wrong", id: `${select.id}-wrong` });
  const table = element("div");
  let file = null;
  const reading = csvOptions(() => file && upload(file));
  const node = element("div", { class: "dataset wide" }, dropZone(upload), reading.node, element("div", { class: "field" }, element("label", { for: select.id }, "Or a table that is here"), select, wrong), status, table);
  const names = NAMES.filter((name) => name in schema.properties);
  // Until the table is here, what was given stands.
  const read = () => (dataset ? members(dataset, roles) : Object.fromEntries(names.filter((name) => name in (value ?? {})).map((name) => [name, value[name]])));
  const changed = () => node.dispatchEvent(new Event("change", { bubbles: true }));

  async function show(chosen, given = null) {
    dataset = chosen;
    roles = given ? givenRoles(chosen.columns, given) : likelyRoles(chosen.columns);
    say();
    changed();
    const { data } = await get(`/v1/datasets/${chosen.id}/rows?limit=6`);
    fill(table, preview(chosen, data, roles));
  }

  function say() {
    const { target_columns: targets } = members(dataset, roles);
    const aim = targets.length ? `target ${targets.slice(0, 3).join(", ")}${targets.length > 3 ? ", …" : ""}` : "no target yet: give a column that role";
    status.textContent = `${dataset.name}: ${count(dataset.rows)} rows, ${dataset.columns.length} columns, ${bytes(dataset.size_bytes)}; ${aim}.`;
  }

  async function list(chosen = null) {
    const datasets = await all("/v1/datasets", 300);
    fill(select, element("option", { value: "" }, datasets.length ? "choose…" : "none yet"), datasets.map(({ id, name, rows }) => element("option", { value: id }, `${name} (${count(rows)} rows)`)));
    select.value = chosen ?? "";
    return datasets;
  }

  async function guarded(work) {
    try {
      await work();
    } catch (problem) {
      status.textContent = "";
      fill(table, element("div", { class: "notice problem", role: "alert" }, problem.message));
    }
  }

  async function upload(chosen) {
    file = chosen;
    fill(table);
    status.textContent = `Uploading ${file.name}, ${bytes(file.size)}…`;
    await guarded(async () => {
      const body = new FormData();
      body.append("file", file);
      reading.append(body);
      const uploaded = await (await send("/v1/datasets", { method: "POST", body })).json();
      await list(uploaded.id);
      await show(uploaded);
      announce(`${uploaded.name} is uploaded.`);
    });
  }

  table.addEventListener("change", say);
  select.addEventListener("change", () => select.value && guarded(async () => show(await get(`/v1/datasets/${select.value}`))));
  guarded(async () => {
    const datasets = await list(value?.dataset_id);
    const chosen = datasets.find(({ id }) => id === value?.dataset_id);
    if (chosen) await show(chosen, value);
  });
  return { node, names, read };
}
