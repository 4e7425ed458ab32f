// Swagger UI over the local document, with the key of this tab.

import { apiKey } from "../core/api.js";
import { startPage } from "../core/shell.js";

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
