// The same job as a command and as a program, ready to be copied.

import { apiKey } from "../core/api.js";
import { announce, element } from "../core/dom.js";

const indented = (value) => JSON.stringify(value, null, 2);

function curl(spec) {
  const key = apiKey() ? ` \\\n  -H "Authorization: Bearer $RISKSCOPE_API_KEY"` : "";
  return `curl ${location.origin}/v1/jobs${key} --json @- <<'JSON'\n${indented({ spec })}\nJSON`;
}

function pythonLiteral(value) {
  const text = indented(value);
  // Outside of strings only: a column may be called "true".
  return text.replaceAll(/"(?:[^"\\]|\\.)*"|\btrue\b|\bfalse\b|\bnull\b/g, (token) => ({ true: "True", false: "False", null: "None" })[token] ?? token);
}

function python(spec) {
  const key = apiKey() ? ', os.environ["RISKSCOPE_API_KEY"]' : "";
  const imports = `${key ? "import os\n\n" : ""}from api.client import RiskscopeClient`;
  return `${imports}\n\nspec = ${pythonLiteral(spec)}\nwith RiskscopeClient("${location.origin}"${key}) as client:\n    job = client.submit(spec).wait(progress=True)\n    print(job.result())\n`;
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
