// Every learned model by name.

import { all } from "../core/api.js";
import { element, fill, table } from "../core/dom.js";
import { ago, estimate, number, words } from "../core/format.js";
import { fillWith, startPage } from "../core/shell.js";

function row(model) {
  const { certificate } = model;
  return [
    element("a", { href: `/models/${model.name}` }, model.name),
    words(model.hypothesis_space.kind ?? ""),
    `version ${model.version}`,
    model.aliases.map((alias) => element("span", { class: "badge" }, alias)),
    estimate(model.risks.trained),
    certificate ? `≤ ${number(certificate.risk_upper_bound, 4)}` : "–",
    element("time", { datetime: model.created_at, title: model.created_at }, ago(model.created_at)),
  ];
}

startPage();
fillWith(document.getElementById("models"), async () => {
  const models = await all("/v1/models");
  if (models.length) return table("Models", ["Name", "Space", "Version", "Aliases", "Risk", "Certified risk", "Learnt"], models.map(row), new Set([4, 5]), "stacks");
  return element("div", { class: "empty" }, element("p", {}, "No model has been learnt yet."), element("a", { class: "button primary", href: "/new" }, "Fit the first"));
});
fill(document.getElementById("announcements"));
