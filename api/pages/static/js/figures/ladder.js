// Bounds as rungs on a log axis, beside what was measured; vacuous ones are grey.

import { pair } from "../core/cells.js";
import { estimate, number, toNumber, words } from "../core/format.js";
import { tick } from "./axes.js";
import { plate } from "./plate.js";

const RUNG = 40;

/** The figure of all bounds on one quantity. `bounds` have values; they share `measured`. */
export function ladderFigure(quantity, bounds) {
  const rows = bounds
    .map((bound) => ({ kind: bound.kind, label: words(bound.kind), value: toNumber(bound.value), vacuous: Boolean(bound.vacuous), delta: bound.delta, trivial: toNumber(bound.trivial_value) }))
    .sort((a, b) => a.value - b.value);
  const measured = bounds.find((bound) => bound.measured)?.measured;
  const { value, error } = pair(measured);
  const trivial = rows.find((row) => Number.isFinite(row.trivial) && row.trivial > 0)?.trivial;
  const onAxis = value > 0;
  const finite = [...rows.map((row) => row.value), trivial, onAxis ? value : NaN].filter((x) => Number.isFinite(x) && x > 0);
  const low = Math.min(...finite) / 1.6;
  const high = Math.max(...finite) * 1.6;
  const clipped = (x) => Math.min(high, Math.max(low, x));
  // Beside the line of what was measured, where that is on the left; else at the edge.
  const place = onAxis && Math.log(value / low) < 0.4 * Math.log(high / low) ? value : low;
  const Plot = globalThis.Plot;
  const color = (row) => (row.vacuous ? "var(--vacuous)" : "var(--approximation)");
  const ink = (row) => (row.vacuous ? "var(--soft)" : "var(--ink)");
  return plate({
    title: `Bounds on the ${words(quantity)}`,
    name: `bounds-${quantity}`,
    view: () => ({
      columns: ["kind", "value", "delta", "vacuous", "trivial"],
      rows,
      legend: [
        { label: "bound", color: "var(--approximation)", shape: "dot" },
        { label: "vacuous: no better than without a theorem", color: "var(--vacuous)", shape: "dot" },
        ...(onAxis ? [{ label: "measured", color: "var(--estimation)", shape: "tick" }] : []),
        ...(trivial ? [{ label: "holds without a theorem", color: "var(--edge)", shape: "dashed" }] : []),
      ],
      note: `${measured ? `Measured: ${estimate(measured)}${onAxis ? "" : ", which is not positive and lies left of this axis"}. ` : ""}Each bound holds by itself with probability at least 1 − δ, δ = ${number(rows[0].delta)}.`,
      draw: (width) =>
        Plot.plot({
          width,
          height: RUNG * rows.length + 58,
          marginLeft: 24,
          marginRight: 18,
          marginTop: 12,
          marginBottom: 40,
          x: { type: "log", domain: [low, high], label: "label units squared", grid: true, ticks: Math.max(2, Math.round(width / 110)), tickFormat: tick, labelArrow: "none" },
          y: { type: "band", domain: rows.map((row) => row.kind), axis: null },
          marks: [
            onAxis && Plot.rectX([0], { x1: clipped(value - error), x2: clipped(value + error), fill: "var(--estimation)", fillOpacity: 0.16 }),
            onAxis && Plot.ruleX([value], { stroke: "var(--estimation)", strokeWidth: 2.5 }),
            trivial && Plot.ruleX([trivial], { stroke: "var(--edge)", strokeDasharray: "4 3" }),
            Plot.link(rows, { x1: onAxis ? value : low, x2: (row) => clipped(row.value), y1: "kind", y2: "kind", stroke: color, strokeWidth: 2, dy: 7 }),
            Plot.dot(rows, { x: (row) => clipped(row.value), y: "kind", fill: color, r: 5, dy: 7, title: (row) => `${row.label}: ${row.value}` }),
            Plot.text(rows, { x: place, y: "kind", text: (row) => `${row.label}  ${number(row.value)}${row.vacuous ? "  (vacuous)" : ""}`, textAnchor: "start", dx: place === low ? 2 : 7, dy: -7, fontSize: 12, fill: ink, stroke: "var(--card)", strokeWidth: 4 }),
          ].filter(Boolean),
        }),
    }),
  });
}
