// A job under way: phase, share, time left, and how it came here.

import { element, fill } from "../core/dom.js";
import { duration, number, words } from "../core/format.js";

/** A card whose `show(event)` takes the job's events; nodes of the card are kept, so that a reader is not disturbed. */
export function liveCard() {
  const phase = element("strong", {}, "Waiting for a worker");
  const share = element("span", { class: "hint" });
  const bar = element("progress", { max: 1, "aria-label": "progress of the job" });
  const left = element("p", { class: "hint" }, "The job starts as soon as a worker is free.");
  const node = element("section", { class: "card live", "aria-label": "Progress" }, element("div", { class: "heading" }, phase, share), bar, left);

  const progress = ({ phase: name, step, total, fraction, eta_seconds: eta }) => {
    phase.textContent = words(name);
    share.textContent = fraction === null ? `${step} of ${total}` : `${Math.round(100 * fraction)} %`;
    if (fraction !== null) bar.value = fraction;
    const rest = eta === null || eta === undefined ? "no estimate of the rest yet" : `about ${duration(eta)} left in this phase`;
    left.textContent = `step ${number(step, 9)} of ${number(total, 9)}; ${rest}`;
  };

  return {
    node,
    progress,
    started(attempt) {
      phase.textContent = attempt > 1 ? `Starting, attempt ${attempt}` : "Starting";
      left.textContent = "A worker has taken the job.";
    },
    stopping() {
      fill(left, "Cancelling: the status follows when the computation has stopped.");
    },
  };
}
