// What a fit says: the advice, the risks, the certificate, the bounds, the training.

import { element } from "../core/dom.js";
import { estimate, number, toNumber, words } from "../core/format.js";
import { learningCurve, predictionFigures } from "../figures/curves.js";
import { boundsView } from "./bounds.js";

const RISKS = {
  trained: ["Risk R(f̂)", "on held-out rows"],
  trained_empirical: ["Empirical risk R̂ₙ(f̂)", "on the sample"],
  generalization_gap: ["Generalization gap", "their difference"],
  baseline: ["Baseline", "risk of the mean label"],
  noise: ["Noise σ²", "no model does better"],
  accuracy: ["Accuracy", "on held-out rows"],
  accuracy_empirical: ["Accuracy on the sample", ""],
};

function figureOf(name, value, hint) {
  return element("div", {}, element("dt", {}, name), element("dd", {}, value, hint && element("small", {}, hint)));
}

/** The certificate in one sentence, or null where there is none. */
export function certificateSentence(certificate) {
  if (!certificate) return null;
  const outside = certificate.labels_outside_range ? ` ${certificate.labels_outside_range} of these labels leave the training range; without the cap the risk may be larger.` : "";
  return `With probability ${number(certificate.confidence)} the risk, each loss capped at ${number(certificate.loss_cap)}, is at most ${number(certificate.risk_upper_bound, 4)}: from ${certificate.sample_size} held-out rows.${outside}`;
}

/** The risks as a row of figures. */
export function risksView(risks) {
  const figures = Object.entries(RISKS)
    .filter(([name]) => risks[name])
    .map(([name, [label, hint]]) => figureOf(label, estimate(risks[name]), hint));
  for (const [output, rmse] of Object.entries(risks.rmse ?? {}).slice(0, 3)) figures.push(figureOf(`RMSE of ${output}`, estimate(rmse), "in label units"));
  if (risks.explained_variance !== undefined) figures.push(figureOf("Explained variance", number(risks.explained_variance), "1 − risk / baseline"));
  return element("dl", { class: "figures" }, figures);
}

function facts(result) {
  const rows = [
    ["Space", words(result.hypothesis_space.kind)],
    ["Learner", words(result.learner.kind)],
    ["Sample", `${result.sample_size} rows, ${result.dimension} inputs; ${result.held_out_size} held out`],
    ...(result.unlabelled_rows ? [["Left out", `${result.unlabelled_rows} rows without a label`]] : []),
    ...(result.unused_columns?.length ? [["Not used", result.unused_columns.join(", ")]] : []),
    ["Model", element("a", { href: `/models/${result.model_name}` }, result.model_name)],
  ];
  return element("dl", { class: "facts card" }, rows.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
}

function heldOut(result) {
  const { held_out: sample } = result;
  if (!sample?.labels?.length) return [];
  const pairs = sample.labels.flatMap((labels, i) => labels.map((label, j) => ({ output: sample.outputs[j], label: toNumber(label), prediction: toNumber(sample.predictions[i][j]) })));
  return predictionFigures(pairs);
}

/** Nodes for the result of a fit. */
export function fitView(result) {
  const curve = result.training?.curve ?? [];
  const figures = [...heldOut(result), ...(curve.length > 1 ? [learningCurve(curve, `on the sample in ${result.training.unit}`)] : [])];
  return [
    result.advice && element("div", { class: "notice advice", id: "advice" }, element("strong", {}, result.advice.because)),
    element("section", { "aria-labelledby": "risks" }, element("h2", { id: "risks" }, "Risks"), risksView(result.risks), element("p", { id: "certificate" }, certificateSentence(result.certificate)), facts(result)),
    figures.length > 0 && element("section", { "aria-labelledby": "training" }, element("h2", { id: "training" }, "Training and predictions"), element("div", { class: "plates" }, figures)),
    ...boundsView(result.bounds ?? [], result.joint_confidence),
  ];
}
