// The exponent of a power law by least squares on log-log axes.

/**
 * Fit log y = a + b log x to points {x, y, error}; errors weigh where every point has one.
 *
 * Weights are (y / error)^2, the inverse variance of log y to first order. The standard error of b is that of weighted
 * least squares, widened by sqrt(chi^2 / (k - 2)) where the points scatter more than their errors say; without errors it
 * comes from the residuals, and two points leave it unknown (NaN).
 * Returns {slope, standardError, at(x), points}, or null with fewer than two points.
 */
export function powerLaw(points) {
  const used = points.filter(({ x, y }) => x > 0 && y > 0 && Number.isFinite(y));
  const k = used.length;
  if (new Set(used.map(({ x }) => x)).size < 2) return null;
  const weighted = used.every(({ error }) => error > 0);
  const w = used.map(({ y, error }) => (weighted ? (y / error) ** 2 : 1));
  const u = used.map(({ x }) => Math.log(x));
  const v = used.map(({ y }) => Math.log(y));
  const total = w.reduce((sum, value) => sum + value, 0);
  const mean = (values) => values.reduce((sum, value, i) => sum + w[i] * value, 0) / total;
  const [u0, v0] = [mean(u), mean(v)];
  const spread = u.reduce((sum, value, i) => sum + w[i] * (value - u0) ** 2, 0);
  const slope = u.reduce((sum, value, i) => sum + w[i] * (value - u0) * (v[i] - v0), 0) / spread;
  const residual = v.reduce((sum, value, i) => sum + w[i] * (value - v0 - slope * (u[i] - u0)) ** 2, 0);
  const scatter = k > 2 ? residual / (k - 2) : NaN;
  const standardError = Math.sqrt((weighted ? Math.max(1, k > 2 ? scatter : 1) : scatter) / spread);
  return { slope, standardError, points: k, at: (x) => Math.exp(v0 + slope * (Math.log(x) - u0)) };
}
