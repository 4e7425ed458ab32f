// What training looked like, and how the predictions lie to the labels.

import { number } from "../core/format.js";
import { tick } from "./axes.js";
import { plate } from "./plate.js";

function drawnCurve(rows, width) {
  const risks = rows.map((row) => row.empirical_risk);
  // Over less than a power of ten, a logarithmic axis has hardly a number on it.
  const type = Math.min(...risks) > 0 && Math.max(...risks) > 10 * Math.min(...risks) ? "log" : "linear";
  return globalThis.Plot.plot({
    width,
    height: 260,
    marginLeft: 58,
    marginBottom: 40,
    x: { label: "step", ticks: Math.max(2, Math.round(width / 90)), labelArrow: "none" },
    y: { type, label: "empirical risk", grid: true, ticks: 5, tickFormat: tick, labelArrow: "none" },
    marks: [globalThis.Plot.line(rows, { x: "step", y: "empirical_risk", stroke: "var(--approximation)", strokeWidth: 2 })],
  });
}

/** Empirical risk over the steps of training; `which` says of what. `curve` may grow, and `refresh()` shows it then. */
export function learningCurve(curve, which) {
  return plate({
    title: "Learning curve",
    name: "learning-curve",
    wide: true,
    view: () => {
      const rows = curve.map(({ step, empirical_risk: risk }) => ({ step, empirical_risk: Number(risk) }));
      const [first, last] = [rows[0], rows.at(-1)];
      return {
        columns: ["step", "empirical_risk"],
        rows,
        note: `Empirical risk ${which}; ${number(first.empirical_risk)} at step ${first.step}, ${number(last.empirical_risk)} at step ${last.step}.`,
        draw: (width) => drawnCurve(rows, width),
      };
    },
  });
}

function square(width) {
  return { width, height: Math.min(340, Math.max(260, width * 0.75)), marginLeft: 58, marginBottom: 40 };
}

/** Predicted against true on held-out rows, and the residuals; `pairs` are {output, label, prediction}. */
export function predictionFigures(pairs) {
  const outputs = [...new Set(pairs.map((row) => row.output))];
  const choices = [{ name: "output", label: "output", options: outputs.map((name) => [name, name]), value: outputs[0] }];
  const rowsOf = (output) => pairs.filter((row) => row.output === output).map((row) => ({ ...row, residual: row.prediction - row.label }));
  const Plot = globalThis.Plot;
  const dots = { r: 3, fill: "var(--approximation)", fillOpacity: 0.55 };
  const axis = (label) => ({ label, inset: 6, ticks: 5, tickFormat: tick, labelArrow: "none" });
  const against = plate({
    title: "Predicted against true",
    name: "predicted-against-true",
    choices,
    view: ({ output }) => {
      const rows = rowsOf(output);
      const all = rows.flatMap((row) => [row.label, row.prediction]);
      const ends = [Math.min(...all), Math.max(...all)];
      return {
        columns: ["label", "prediction"],
        rows,
        note: `The first ${rows.length} held-out rows; on the dashed line the prediction is the label.`,
        draw: (width) =>
          Plot.plot({
            ...square(width),
            x: axis("label"),
            y: { ...axis("prediction"), grid: true },
            marks: [Plot.link([0], { x1: ends[0], y1: ends[0], x2: ends[1], y2: ends[1], stroke: "var(--edge)", strokeDasharray: "5 4" }), Plot.dot(rows, { x: "label", y: "prediction", ...dots })],
          }),
      };
    },
  });
  const residuals = plate({
    title: "Residuals",
    name: "residuals",
    choices,
    view: ({ output }) => {
      const rows = rowsOf(output);
      return {
        columns: ["prediction", "residual", "label"],
        rows,
        note: "Prediction minus label, over the prediction; a pattern is something that the space does not express.",
        draw: (width) =>
          Plot.plot({ ...square(width), x: axis("prediction"), y: { ...axis("residual"), grid: true }, marks: [Plot.ruleY([0], { stroke: "var(--edge)", strokeDasharray: "5 4" }), Plot.dot(rows, { x: "prediction", y: "residual", ...dots })] }),
      };
    },
  });
  return [against, residuals];
}
