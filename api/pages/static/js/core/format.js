// Numbers, times and sizes as a person reads them.

const MINUS = "\u2212";

/** A number of the API: JSON's number, or "inf", "-inf", "nan". */
export function toNumber(value) {
  if (value === null || value === undefined) return NaN;
  if (value === "inf") return Infinity;
  if (value === "-inf") return -Infinity;
  return Number(value);
}

/** Three digits: 0.0123, 1.2e−7, ∞. */
export function number(value, digits = 3) {
  const x = toNumber(value);
  if (Number.isNaN(x)) return "–";
  if (!Number.isFinite(x)) return x > 0 ? "∞" : `${MINUS}∞`;
  if (x === 0) return "0";
  const size = Math.abs(x);
  const plain = size >= 1e-3 && size < 1e6;
  const text = plain ? String(Number(x.toPrecision(digits))) : x.toExponential(digits - 1).replace(/\.?0+e/, "e").replace("e+", "e");
  const grouped = plain && size >= 1e4 ? Math.round(x).toLocaleString("en") : text;
  return grouped.replaceAll("-", MINUS);
}

/** A whole number with its thousands set apart. */
export function count(value) {
  return Number(value).toLocaleString("en").replaceAll(",", "\u202f");
}

/** value ± standard error; the value alone where the error is not known or zero. */
export function estimate(e) {
  if (e === null || e === undefined) return "unknown";
  const error = toNumber(e.standard_error);
  return Number.isFinite(error) && error > 0 ? `${number(e.value)} ± ${number(error, 2)}` : number(e.value);
}

/** 12 s, 3 min 20 s, 2 h 5 min. */
export function duration(seconds) {
  const s = toNumber(seconds);
  if (Number.isNaN(s)) return "–";
  if (!Number.isFinite(s)) return "∞";
  if (s < 0.95) return `${Math.max(1, Math.round(s * 1000))} ms`;
  if (s < 59.5) return `${Math.round(s)} s`;
  const minutes = Math.floor((s + 0.5) / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(s - 60 * minutes)} s`.replace(" 0 s", "");
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`.replace(" 0 min", "");
}

/** Bytes with a binary unit. */
export function bytes(size) {
  let value = toNumber(size);
  for (const unit of ["B", "KiB", "MiB", "GiB", "TiB"]) {
    if (value < 1024 || unit === "TiB") return `${unit === "B" ? value : number(value)} ${unit}`;
    value /= 1024;
  }
  return "";
}

/** How long ago, in words. */
export function ago(time) {
  const seconds = (Date.now() - Date.parse(time)) / 1000;
  if (seconds < 10) return "just now";
  return `${duration(seconds < 3600 ? seconds : 60 * Math.round(seconds / 60)).replace(/ \d+ s$/, "")} ago`;
}

/** With a capital at the beginning. */
export function title(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A name of the API as words: generalization_gap becomes "generalization gap". */
export function words(name) {
  return String(name).replaceAll("_", " ");
}
