// What every page has: the choice of colours, the key, and a place for errors.

import { apiKey, askForKey } from "./api.js";
import { element, fill } from "./dom.js";

const THEMES = { auto: "automatic", light: "light", dark: "dark" };

function themeButton() {
  const button = document.getElementById("theme-button");
  const root = document.documentElement;
  const show = () => button.setAttribute("aria-label", `Colours: ${THEMES[root.dataset.theme ?? "auto"]}`);
  button.addEventListener("click", () => {
    const order = Object.keys(THEMES);
    const next = order[(order.indexOf(root.dataset.theme ?? "auto") + 1) % order.length];
    if (next === "auto") {
      delete root.dataset.theme;
      localStorage.removeItem("riskscope-theme");
    } else {
      root.dataset.theme = next;
      localStorage.setItem("riskscope-theme", next);
    }
    show();
    button.title = button.getAttribute("aria-label");
  });
  show();
}

function keyButton() {
  const button = document.getElementById("key-button");
  button.hidden = !apiKey();
  button.addEventListener("click", async () => {
    await askForKey("Another key for this tab, or none.");
    location.reload();
  });
}

/** Wire the header. */
export function startPage() {
  themeButton();
  keyButton();
}

/** A problem where the content would be, with a way to try again. */
export function problemNotice(problem, again = null) {
  return element(
    "div",
    { class: "notice problem", role: "alert" },
    element("strong", {}, problem.title ?? "Something went wrong"),
    element("p", {}, problem.message),
    problem.requestId && element("p", { class: "hint" }, `Request ${problem.requestId}`),
    again && element("button", { type: "button", on: { click: again } }, "Try again"),
  );
}

/** Fill a place by an asynchronous maker of nodes; its problem is shown there instead. */
export async function fillWith(place, make) {
  try {
    fill(place, await make());
  } catch (problem) {
    fill(place, problemNotice(problem, () => fillWith(place, make)));
  }
}
