// A job from the catalogue's own schemas: form, plan, the same as code, submission.

import { get, post } from "../core/api.js";
import { element, fill } from "../core/dom.js";
import { bytes, duration, number, title, words } from "../core/format.js";
import { problemNotice, startPage } from "../core/shell.js";
import { markErrors, objectControl } from "../forms/kind_form.js";
import { jobSnippets } from "../forms/snippets.js";

const PAUSE_MS = 350;
const places = Object.fromEntries(["kinds", "form", "plan", "code", "problems"].map((name) => [name, document.getElementById(name)]));
const submit = document.getElementById("submit");
const snippets = jobSnippets();
let form = null;
let turn = 0;
let timer = null;

/** Every example of every family, for what a schema has no default of. */
async function allExamples(families) {
  const lists = await Promise.all(families.map(({ family }) => get(`/v1/catalogue/${family}`)));
  return { kinds: lists.find(({ family }) => family === "experiments").data, examples: lists.flatMap(({ data }) => data.flatMap((kind) => kind.examples)) };
}

function showPlan(plan) {
  const facts = [
    ["Time", Number.isFinite(Number(plan.estimated_seconds)) ? `about ${duration(plan.estimated_seconds)}` : "unknown"],
    ["Memory", bytes(plan.peak_memory_bytes)],
    ["Operations", number(plan.floating_point_operations)],
    ["Parameters", number(plan.parameters, 6)],
    ["Waiting before it", number(plan.queue.depth)],
  ];
  fill(places.plan, element("dl", { class: "facts" }, facts.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)])));
}

function showProblem(problem) {
  const left = markErrors(places.form, problem.errors);
  fill(places.plan, element("p", { class: "hint" }, problem.errors.length ? "No plan until the marked fields are mended." : "No plan."));
  const lines = left.length || !problem.errors.length ? (left.length ? left.map(({ pointer, detail }) => `${pointer.replace(/^\/spec\/?/, "") || "job"}: ${detail}`) : [problem.message]) : [];
  fill(places.problems, lines.length > 0 && element("div", { class: "notice problem" }, lines.map((line) => element("p", {}, line))));
}

async function plan() {
  const mine = ++turn;
  const spec = form.read();
  snippets.show(spec);
  try {
    const answer = await post("/v1/jobs?dry_run=true", { spec });
    if (mine !== turn) return;
    markErrors(places.form, []);
    fill(places.problems);
    showPlan(answer);
    submit.disabled = false;
  } catch (problem) {
    if (mine !== turn) return;
    submit.disabled = true;
    showProblem(problem);
  }
}

function planSoon() {
  clearTimeout(timer);
  timer = setTimeout(plan, PAUSE_MS);
}

function choose(kind, examples, given = null) {
  const schema = { ...kind.parameters, properties: kind.parameters.properties };
  form = objectControl({ root: schema, examples }, schema, given ?? kind.examples[0] ?? { kind: kind.kind });
  fill(places.form, form.node);
  document.getElementById("statement").textContent = (schema.description ?? "").split("\n\n")[0];
  plan();
}

function kindChoices(kinds, chosen, choice) {
  return kinds.map((kind) => {
    const radio = element("input", { type: "radio", name: "experiment", value: kind.kind, checked: kind.kind === chosen, on: { change: () => choice(kind) } });
    return element("label", { class: "pill" }, radio, title(words(kind.kind)));
  });
}

async function start() {
  try {
    const { data: families } = await get("/v1/catalogue");
    const { kinds, examples } = await allExamples(families);
    const from = new URLSearchParams(location.search).get("from");
    const given = from ? (await get(`/v1/jobs/${encodeURIComponent(from)}`)).spec : null;
    const first = kinds.find(({ kind }) => kind === given?.kind) ?? kinds[0];
    fill(places.kinds, kindChoices(kinds, first.kind, (kind) => choose(kind, examples)));
    choose(first, examples, given);
  } catch (problem) {
    fill(places.form, problemNotice(problem, start));
  }
}

places.form.addEventListener("input", planSoon);
places.form.addEventListener("change", planSoon);
document.getElementById("new-job").addEventListener("submit", async (event) => {
  event.preventDefault();
  clearTimeout(timer);
  submit.disabled = true;
  try {
    const job = await post("/v1/jobs", { spec: form.read() }, { headers: { "Idempotency-Key": crypto.randomUUID() } });
    location.assign(`/jobs/${job.id}`);
  } catch (problem) {
    submit.disabled = false;
    showProblem(problem);
  }
});
fill(places.code, snippets.nodes);
startPage();
start();
