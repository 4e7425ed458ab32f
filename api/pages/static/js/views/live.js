// A job under way: phase, share, time left, and the risk of what trains.

import { element, fill } from "../core/dom.js";
import { duration, number, words } from "../core/format.js";
import { learningCurve } from "../figures/curves.js";

/** The curve of the risks that came with the reports, once there are two; `add` takes a report. */
function growingCurve() {
  const points = [];
  const node = element("div", { class: "plates", hidden: true });
  let figure = null;
  return {
    node,
    add({ step, empirical_risk: risk }) {
      if (risk === null || risk === undefined) return;
      // An attempt that begins again, or goes on from a checkpoint, leaves what came after.
      while (points.length && points.at(-1).step >= step) points.pop();
      points.push({ step, empirical_risk: risk });
      if (points.length < 2) return;
      if (figure) return figure.refresh();
      figure = learningCurve(points, "of the sample or a minibatch, in the units that it trains in");
      node.append(figure);
      node.hidden = false;
    },
  };
}

/** A card whose `show(event)` takes the job's events; nodes of the card are kept, so that a reader is not disturbed. */
export function liveCard() {
  const phase = element("strong", {}, "Waiting for a worker");
  const share = element("span", { class: "hint" });
  const bar = element("progress", { max: 1, "aria-label": "progress of the job" });
  const left = element("p", { class: "hint" }, "The job starts as soon as a worker is free.");
  const curve = growingCurve();
  const node = element("section", { class: "card live", "aria-label": "Progress" }, element("div", { class: "heading" }, phase, share), bar, left, curve.node);

  const progress = (report) => {
    const { phase: name, step, total, fraction, eta_seconds: eta } = report;
    curve.add(report);
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
