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

/** A block of code with a button that copies it. */
export function codeBlock(label, text) {
  const button = element("button", { type: "button", class: "small" }, "Copy");
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
    announce(`${label} is copied.`);
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
  return element("details", { class: "code-block" }, element("summary", {}, label), element("div", { class: "code-around" }, button, element("pre", { tabindex: "0", "aria-label": label }, text)));
}

/** The job in both languages. */
export function jobSnippets(spec) {
  return [codeBlock("As curl", curl(spec)), codeBlock("As Python", python(spec))];
}
