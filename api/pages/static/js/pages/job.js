// One job: live while it runs, then what it found.

import { all, apiKey, download, events, get, send } from "../core/api.js";
import { announce, element, fill } from "../core/dom.js";
import { problemNotice, startPage } from "../core/shell.js";
import { jobHeader, specification } from "../views/job_header.js";
import { liveCard } from "../views/live.js";
import { resultView } from "../views/result.js";

const place = document.getElementById("job");
const path = `/v1/jobs/${encodeURIComponent(place.dataset.job)}`;
const ACTIVE = ["queued", "running"];
const parts = Object.fromEntries(["head", "actions", "body", "foot"].map((name) => [name, element("div", { class: `part-${name}` })]));

function action(label, run, look = null) {
  const button = element("button", { type: "button", class: look, on: { click: () => act(button, run) } }, label);
  return button;
}

async function act(button, run) {
  button.disabled = true;
  try {
    await run();
  } catch (problem) {
    parts.actions.after(problemNotice(problem));
    button.disabled = false;
  }
}

async function openReport() {
  if (!apiKey()) return location.assign(`${path}/report`);
  return download(`${path}/report`, `${place.dataset.job}.html`);
}

function actions(job) {
  const again = `/new?from=${job.id}`;
  return [
    ACTIVE.includes(job.status) && !job.cancel_requested_at && action("Cancel", async () => (await send(`${path}/cancel`, { method: "POST" }), ACTIVE.includes(job.status) && refresh()), "danger"),
    ["failed", "cancelled"].includes(job.status) && action("Run again", async () => (await send(`${path}/retry`, { method: "POST" }), show()), "primary"),
    job.status === "succeeded" && action("Report as one file", openReport),
    element("a", { class: "button", href: again }, "Change and submit"),
    job.kind && job.status === "succeeded" && element("a", { class: "button", href: `/compare?job=${job.id}`, hidden: true, id: "compare-link" }, "Compare"),
  ];
}

function head(job) {
  fill(parts.head, jobHeader(job));
  fill(parts.actions, element("div", { class: "actions" }, actions(job)));
  fill(parts.foot, specification(job));
  document.title = `${job.kind.replaceAll("_", " ")} ${job.status} · riskscope`;
}

async function refresh() {
  const job = await get(path);
  head(job);
  return job;
}

function ended(job) {
  if (job.status === "cancelled") return element("div", { class: "notice warning" }, element("strong", {}, "Cancelled"), element("p", {}, "The computation has stopped; there is no result."));
  const { code, message, param } = job.error ?? {};
  return element("div", { class: "notice problem" }, element("strong", {}, `Failed: ${(code ?? "unknown").replaceAll("_", " ")}`), element("p", {}, message ?? "No reason is known."), param && element("p", { class: "hint" }, "Field ", element("code", {}, param)));
}

async function follow(job) {
  const card = liveCard();
  fill(parts.body, card.node);
  if (job.progress) card.progress(job.progress);
  for await (const event of events(`${path}/events`)) {
    const { data } = event.data;
    if (event.type === "progress") card.progress(data);
    else if (event.type === "running") {
      card.started(data.attempt);
      await refresh();
    } else {
      const now = await refresh();
      if (now.cancel_requested_at) card.stopping();
    }
  }
}

async function show() {
  try {
    let job = await refresh();
    if (ACTIVE.includes(job.status)) {
      await follow(job);
      job = await refresh();
      announce(`The job has ${job.status}.`);
    }
    if (job.status !== "succeeded") return fill(parts.body, ended(job));
    const [result, cells] = await Promise.all([get(`${path}/result`), all(`/v1/decompositions?job_id=${job.id}&order=asc`)]);
    const compare = document.getElementById("compare-link");
    if (compare) compare.hidden = !cells.length;
    return fill(parts.body, resultView(result, cells));
  } catch (problem) {
    if (!parts.head.hasChildNodes()) fill(parts.head, element("h1", {}, "Job"));
    return fill(parts.body, problemNotice(problem, show));
  }
}

startPage();
fill(place, Object.values(parts));
show();
