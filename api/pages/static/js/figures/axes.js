// The two ways through a grid: over n at one width, over m at one sample size.

export const AXES = {
  sample_size: { symbol: "n", across: "sample size n", fixed: "width", fixedSymbol: "m", values: (grid) => grid.widths },
  width: { symbol: "m", across: "width m", fixed: "sample_size", fixedSymbol: "n", values: (grid) => grid.sizes },
};

/** The choice of what is held fixed; the largest to begin with. */
export function fixedChoice(grid, axis) {
  const { fixedSymbol, values } = AXES[axis];
  const options = values(grid).map((value) => [String(value), `${fixedSymbol} = ${value}`]);
  return { name: "at", label: "at", options, value: options.at(-1)[0] };
}

/** The cells along an axis. */
export function along(grid, axis, at) {
  return grid.cells.filter((cell) => String(cell[AXES[axis].fixed]) === at);
}

/** Whether there is more than one point along the axis. */
export function hasAxis(grid, axis) {
  return new Set(grid.cells.map((cell) => cell[axis])).size > 1;
}

/** A tick of a numeric axis: 0.001 to 100,000 plainly, else in powers of ten. */
export function tick(value) {
  const size = Math.abs(value);
  if (value === 0) return "0";
  const text = size >= 1e-3 && size < 1e5 ? String(Number(value.toPrecision(6))) : value.toExponential().replace("e+", "e");
  return text.replaceAll("-", "−");
}
