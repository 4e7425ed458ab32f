// Swagger UI over the local document, with the key of this tab.

import { apiKey } from "../core/api.js";
import { startPage } from "../core/shell.js";

// Swagger UI has dark colours of its own, by a class of the document.
const system = matchMedia("(prefers-color-scheme: dark)");
const root = document.documentElement;
const colours = () => root.classList.toggle("dark-mode", (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark");
system.addEventListener("change", colours);
new MutationObserver(colours).observe(root, { attributeFilter: ["data-theme"] });
colours();
startPage();
globalThis.SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  requestInterceptor: (request) => {
    if (apiKey() && !request.headers.Authorization) request.headers.Authorization = `Bearer ${apiKey()}`;
    return request;
  },
});
