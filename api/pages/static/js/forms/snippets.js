// The same job as a command and as a program, ready to be copied.

import { apiKey } from "../core/api.js";
import { announce, element } from "../core/dom.js";

const indented = (value) => JSON.stringify(value, null, 2);

function curl(spec) {
  const key = apiKey() ? ` \\\n  -H "Authorization: Bearer $RISKSCOPE_KEY"` : "";
  return `curl ${location.origin}/v1/jobs${key} --json @- <<'JSON'\n${indented({ spec })}\nJSON`;
}

function pythonLiteral(value) {
  const text = indented(value);
  // Outside of strings only: a column may be called "true".
  return text.replaceAll(/"(?:[^"\\]|\\.)*"|\btrue\b|\bfalse\b|\bnull\b/g, (token) => ({ true: "True", false: "False", null: "None" })[token] ?? token);
}

function python(spec) {
  const key = apiKey() ? ', headers={"Authorization": f"Bearer {KEY}"}' : "";
  return `import httpx\n\nclient = httpx.Client(base_url="${location.origin}"${key}, timeout=90)\nspec = ${pythonLiteral(spec)}\njob = client.post("/v1/jobs", json={"spec": spec}).raise_for_status().json()\nwhile job["status"] in ("queued", "running"):\n    job = client.get(f"/v1/jobs/{job['id']}", params={"wait": 60}).json()\nresult = client.get(f"/v1/jobs/{job['id']}/result").raise_for_status().json()\n`;
}

/** A folded block of code with a button that copies it: {node, show(text)}; new text leaves it folded or open. */
export function codeBlock(label, text = "") {
  const code = element("pre", { tabindex: "0", role: "region", "aria-label": label }, text);
  const button = element("button", { type: "button", class: "small" }, "Copy");
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
    announce(`${label} is copied.`);
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
  const node = element("details", { class: "code-block" }, element("summary", {}, label), element("div", { class: "code-around" }, button, code));
  return { node, show: (shown) => (code.textContent = shown) };
}

/** The job in both languages: {nodes, show(spec)}. */
export function jobSnippets() {
  const blocks = [[codeBlock("As curl"), curl], [codeBlock("As Python"), python]];
  return { nodes: blocks.map(([block]) => block.node), show: (spec) => blocks.forEach(([block, written]) => block.show(written(spec))) };
}
