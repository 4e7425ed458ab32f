// A job in one line of words, from its specification alone.

import { words } from "./format.js";

const kinds = (value) => [value ?? []].flat().map((item) => words(item.kind)).join(", ");

/** "cosine ridge, d = 10 · two layer · adam"; empty where the specification says nothing of these. */
export function summary(spec) {
  const data = spec.data ?? {};
  const source = data.target
    ? `${words(data.target.kind)}, d = ${data.dimension}`
    : (data.target_columns ?? []).length
      ? `table → ${data.target_columns.slice(0, 2).join(", ")}${data.target_columns.length > 2 ? ", …" : ""}`
      : "";
  return [source, kinds(spec.hypothesis_space), kinds(spec.learner)].filter(Boolean).join(" · ");
}
