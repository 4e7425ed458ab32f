// The last jobs as they go, and the state of queue and workers.

import { get, send } from "../core/api.js";
import { badge } from "../core/badge.js";
import { summary } from "../core/describe.js";
import { element, fill, table } from "../core/dom.js";
import { ago, count, duration, words } from "../core/format.js";
import { problemNotice, startPage } from "../core/shell.js";

const REFRESH_MS = 2000;
const jobsPlace = document.getElementById("jobs");
const statusChoice = document.getElementById("jobs-status");

function took(job) {
  if (!job.started_at) return "";
  return duration(((job.finished_at ? Date.parse(job.finished_at) : Date.now()) - Date.parse(job.started_at)) / 1000);
}

function progress(job) {
  if (job.status !== "running") return took(job);
  const share = job.progress?.fraction ?? null;
  return [
    element("progress", { max: 1, "aria-label": "progress", ...(share !== null && { value: share }) }),
    element("span", { class: "hint" }, ` ${share === null ? "" : `${Math.round(100 * share)} %`}`),
  ];
}

function row(job) {
  return [
    element("a", { href: `/jobs/${job.id}` }, words(job.kind)),
    summary(job.spec),
    badge(job.status),
    progress(job),
    element("time", { datetime: job.created_at, title: job.created_at }, ago(job.created_at)),
  ];
}

function empty() {
  return element(
    "div",
    { class: "empty" },
    element("p", {}, statusChoice.value ? `No job is ${statusChoice.value}.` : "No job has been submitted yet."),
    element("a", { class: "button primary", href: "/new" }, "Submit the first"),
  );
}

async function showJobs() {
  const filter = statusChoice.value ? `&status=${statusChoice.value}` : "";
  const { data } = await get(`/v1/jobs?limit=12${filter}`);
  // A table that is being read is not replaced by the same table.
  const state = JSON.stringify(data.map((job) => [job.id, job.status, job.progress]));
  if (state === jobsPlace.dataset.state) return;
  const focused = document.activeElement?.getAttribute?.("href");
  fill(jobsPlace, data.length ? table("Recent jobs", ["Kind", "What", "Status", "Time", "Submitted"], data.map(row), undefined, "stacks") : empty());
  jobsPlace.dataset.state = state;
  if (focused) jobsPlace.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
}

function gauge(text, name) {
  let sum = null;
  for (const [, value] of text.matchAll(new RegExp(`^${name} (\\S+)$`, "gm"))) sum = (sum ?? 0) + Number(value);
  return sum;
}

async function showState() {
  const text = await (await send("/metrics")).text();
  const status = (name) => gauge(text, `riskscope_jobs\\{status="${name}"\\}`);
  const finished = ["succeeded", "failed", "cancelled"].map(status);
  const values = {
    queued: status("queued"),
    running: status("running"),
    finished: finished.every((value) => value === null) ? null : finished.reduce((sum, value) => sum + (value ?? 0), 0),
    workers: gauge(text, "riskscope_fresh_workers"),
  };
  for (const [name, value] of Object.entries(values)) {
    document.getElementById(`state-${name}`).textContent = value === null ? "–" : count(value);
  }
}

async function showChecks() {
  const response = await fetch("/readyz");
  const { checks } = await response.json();
  fill(
    document.getElementById("checks"),
    Object.entries(checks).map(([name, check]) =>
      element("li", { class: check.ok ? "good" : "bad" }, element("span", { "aria-hidden": "true" }, check.ok ? "✓ " : "✕ "), element("b", {}, name), ` ${check.detail}`),
    ),
  );
}

async function refresh() {
  try {
    if (!document.hidden) {
      await showJobs();
      await Promise.allSettled([showState(), showChecks()]);
    }
    setTimeout(refresh, REFRESH_MS);
  } catch (problem) {
    delete jobsPlace.dataset.state;
    fill(jobsPlace, problemNotice(problem, refresh));
  }
}

statusChoice.addEventListener("change", () => showJobs());
startPage();
refresh();
