// One model: its versions and aliases, what is known of the chosen version, a prediction, its files.

import { all, download, get, post, send } from "../core/api.js";
import { element, fill, freshId, table } from "../core/dom.js";
import { ago, estimate, number, words } from "../core/format.js";
import { problemNotice, startPage } from "../core/shell.js";
import { boundsView } from "../views/bounds.js";
import { certificateSentence, risksView } from "../views/fit.js";
import { tryView } from "../views/try_model.js";

const place = document.getElementById("model");
const { name } = place.dataset;
const base = `/v1/models/${encodeURIComponent(name)}`;

function guarded(work) {
  return async (event) => {
    event?.preventDefault?.();
    try {
      await work();
      await show();
    } catch (problem) {
      fill(document.getElementById("alias-problem"), problemNotice(problem));
    }
  };
}

function aliasTag(alias) {
  return element("span", { class: "badge" }, alias, element("button", { type: "button", class: "tag-button", "aria-label": `Remove the alias ${alias}`, on: { click: guarded(() => send(`${base}/aliases/${alias}`, { method: "DELETE" })) } }, "✕"));
}

function versionRow(chosen) {
  return (model) => [
    model.version === chosen.version ? element("strong", {}, `version ${model.version}`) : element("a", { href: `?version=${model.version}` }, `version ${model.version}`),
    words(model.hypothesis_space.kind ?? ""),
    element("span", { class: "tags" }, model.aliases.map(aliasTag)),
    estimate(model.risks.trained),
    model.certificate ? `≤ ${number(model.certificate.risk_upper_bound, 4)}` : "–",
    element("time", { datetime: model.created_at, title: model.created_at }, ago(model.created_at)),
  ];
}

function aliasForm(version) {
  const id = freshId("alias");
  const input = element("input", { id, type: "text", placeholder: "production", required: true, autocomplete: "off" });
  const point = guarded(() => post(`${base}/aliases/${encodeURIComponent(input.value.trim())}`, { version }, { method: "PUT" }));
  return element("form", { class: "alias-form", on: { submit: point } }, element("label", { for: id }, `Point an alias at version ${version}`), element("span", { class: "actions" }, input, element("button", { type: "submit" }, "Point")), element("div", { id: "alias-problem" }));
}

function facts(model) {
  const rows = [
    ["Space", words(model.hypothesis_space.kind)],
    ["Learner", model.learner ? words(model.learner.kind) : "unknown"],
    ["Inputs", `${model.input_schema.length}: ${model.input_schema.slice(0, 12).map((column) => column.name).join(", ")}${model.input_schema.length > 12 ? ", …" : ""}`],
    ["Outputs", model.output_schema.slice(0, 12).map((column) => column.name).join(", ")],
    ...(model.classes ? [["Classes", model.classes.join(", ")]] : []),
    ...(model.job_id ? [["Job", element("a", { href: `/jobs/${model.job_id}` }, model.job_id)]] : []),
    ["Digest", element("code", {}, model.digest)],
  ];
  return element("dl", { class: "facts card" }, rows.flatMap(([label, value]) => [element("dt", {}, label), element("dd", {}, value)]));
}

function exports_(model) {
  const here = `${base}/versions/${model.version}/export`;
  const button = (format, label) => element("button", { type: "button", on: { click: () => download(`${here}?format=${format}`, `${name}-v${model.version}.${format}`) } }, label);
  return element("p", { class: "actions" }, button("onnx", "↓ ONNX"), button("safetensors", "↓ safetensors"), model.job_id && element("a", { class: "button", href: `/new?from=${model.job_id}` }, "Fit again, changed"));
}

async function show() {
  try {
    const version = new URLSearchParams(location.search).get("version");
    const [model, versions] = await Promise.all([get(version ? `${base}/versions/${encodeURIComponent(version)}` : base), all(`${base}/versions`)]);
    fill(
      place,
      element("p", { class: "crumb" }, element("a", { href: "/models" }, "Models")),
      element("div", { class: "heading" }, element("h1", {}, model.name, " ", element("span", { class: "badge" }, `version ${model.version}`))),
      exports_(model),
      model.certificate && element("div", { class: "notice", id: "certificate" }, element("strong", {}, "Certificate"), element("p", {}, certificateSentence(model.certificate))),
      element("section", { "aria-label": "Risks" }, risksView(model.risks), facts(model)),
      ...(await tryView(model)),
      element("section", { "aria-labelledby": "versions" }, element("h2", { id: "versions" }, "Versions"), table("Versions", ["Version", "Space", "Aliases", "Risk", "Certified risk", "Learnt"], versions.map(versionRow(model)), new Set([3, 4]), "stacks"), aliasForm(model.version)),
      ...boundsView(model.bounds),
    );
  } catch (problem) {
    fill(place, element("h1", {}, name), problemNotice(problem, show));
  }
}

startPage();
show();
