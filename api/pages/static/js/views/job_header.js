// What a job is: kind, status, times, specification.

import { badge } from "../core/badge.js";
import { summary } from "../core/describe.js";
import { element } from "../core/dom.js";
import { ago, duration, title, words } from "../core/format.js";

const time = (text) => element("time", { datetime: text, title: text }, ago(text));

function took(job) {
  if (!job.started_at) return "not started";
  const end = job.finished_at ? Date.parse(job.finished_at) : Date.now();
  return duration((end - Date.parse(job.started_at)) / 1000);
}

/** Heading and facts of a job. */
export function jobHeader(job) {
  const facts = [
    ["Job", element("code", {}, job.id)],
    ["Submitted", time(job.created_at)],
    [job.finished_at ? "Took" : "Running for", job.attempt > 1 ? `${took(job)}, attempt ${job.attempt}` : took(job)],
    ...Object.entries(job.metadata ?? {}),
  ];
  return element(
    "div",
    { class: "job-head" },
    element("div", { class: "heading" }, element("h1", {}, title(words(job.kind)), " ", badge(job.status))),
    element("p", { class: "lead" }, summary(job.spec)),
    element("dl", { class: "facts" }, facts.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value)))),
  );
}

/** The specification, folded. */
export function specification(job) {
  return element("details", { class: "after" }, element("summary", {}, "Specification"), element("pre", { tabindex: "0", class: "tall" }, JSON.stringify(job.spec, null, 1)));
}
