// Find a kind: articles that do not hold every word are hidden.

import { startPage } from "../core/shell.js";

const input = document.getElementById("filter");
const status = document.getElementById("filter-count");
const kinds = [...document.querySelectorAll("article.kind")].map((node) => ({ node, text: searched(node) }));

/** What is in view and the statement's words; parameters and examples name other kinds. */
function searched(node) {
  return [...node.children].filter((part) => part.tagName !== "DETAILS" || part.className === "plain").map((part) => part.textContent).join(" ").toLowerCase();
}

function apply() {
  const wanted = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const { node, text } of kinds) {
    node.hidden = !wanted.every((word) => text.includes(word));
    shown += node.hidden ? 0 : 1;
  }
  for (const family of document.querySelectorAll("section.family")) family.hidden = !family.querySelector("article:not([hidden])");
  status.textContent = wanted.length ? (shown ? `${shown} of ${kinds.length} kinds` : "Nothing has all of these words.") : "";
}

startPage();
input.addEventListener("input", apply);
apply();
