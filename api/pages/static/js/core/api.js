// The one way to /v1: the key of this tab, problems as errors, event streams by fetch.

const KEY = "riskscope-key";

/** The tab's key, or null. */
export const apiKey = () => sessionStorage.getItem(KEY);

/** Keep a key for this tab, or forget it. */
export function keepKey(key) {
  if (key) sessionStorage.setItem(KEY, key);
  else sessionStorage.removeItem(KEY);
}

/** What the API answered instead of a result: its problem document, or that it did not answer. */
export class Problem extends Error {
  constructor(status, document) {
    super(document.detail ?? "The server does not answer.");
    this.status = status;
    this.title = document.title ?? "No answer";
    this.errors = document.errors ?? [];
    this.requestId = document.request_id ?? null;
  }
}

/** fetch with the key; raises Problem for every answer that is none. 401 asks for a key once and tries again. */
export async function send(path, options = {}) {
  const headers = new Headers(options.headers);
  if (apiKey()) headers.set("Authorization", `Bearer ${apiKey()}`);
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, {});
  }
  if (response.ok) return response;
  const problem = new Problem(response.status, await response.json().catch(() => ({ detail: response.statusText })));
  if (response.status === 401 && (await askForKey(problem.message))) return send(path, options);
  throw problem;
}

/** The JSON of an answer. */
export async function get(path, options) {
  return (await send(path, options)).json();
}

/** POST (or PUT) a JSON body. */
export async function post(path, body, { method = "POST", ...options } = {}) {
  const headers = { "Content-Type": "application/json", ...options.headers };
  return (await send(path, { ...options, method, headers, body: JSON.stringify(body) })).json();
}

/** Every item of a list, at most `most`. */
export async function all(path, most = 5000) {
  const items = [];
  const join = path.includes("?") ? "&" : "?";
  let after = "";
  while (items.length < most) {
    const page = await get(`${path}${join}limit=100${after}`);
    items.push(...page.data);
    if (!page.has_more) break;
    after = `&after=${page.last_id}`;
  }
  return items;
}

/** A file of the API under its own name: a link cannot send the key. */
export async function download(path, name) {
  saveAs(await (await send(path)).blob(), name);
}

/** Hand a blob to the person as a file. */
export function saveAs(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Server-sent events, resumed after a lost connection, until the stream ends by itself. EventSource sends no key. */
export async function* events(path, signal, lastId = null) {
  for (let failures = 0; failures < 20; ) {
    try {
      const headers = { Accept: "text/event-stream", ...(lastId && { "Last-Event-ID": lastId }) };
      const response = await send(path, { headers, signal });
      for await (const event of parsed(response.body)) {
        failures = 0;
        lastId = event.id ?? lastId;
        yield event;
      }
      return;
    } catch (error) {
      if (signal?.aborted || (error instanceof Problem && error.status >= 400 && error.status < 500)) throw error;
      failures += 1;
      await new Promise((resolve) => setTimeout(resolve, Math.min(10_000, 500 * 2 ** failures)));
    }
  }
}

async function* parsed(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    waiting += value.replaceAll("\r\n", "\n");
    const blocks = waiting.split("\n\n");
    waiting = blocks.pop();
    for (const block of blocks) {
      const fields = { data: "" };
      for (const line of block.split("\n")) {
        const colon = line.indexOf(":");
        if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 1).replace(/^ /, "");
      }
      if (fields.data) yield { id: fields.id, type: fields.event, data: JSON.parse(fields.data) };
    }
  }
}

let asking = null;

/** Ask the person for a key; resolves to whether one was given. Several askers share one dialog. */
export function askForKey(reason) {
  asking ??= new Promise((resolve) => {
    const dialog = document.getElementById("key-dialog");
    const input = document.getElementById("key-input");
    document.getElementById("key-reason").textContent = reason;
    dialog.returnValue = "";
    dialog.addEventListener(
      "close",
      () => {
        asking = null;
        if (dialog.returnValue === "use" && input.value) keepKey(input.value.trim());
        else if (dialog.returnValue === "forget") keepKey(null);
        input.value = "";
        document.getElementById("key-button").hidden = !apiKey();
        resolve(dialog.returnValue === "use");
      },
      { once: true },
    );
    dialog.showModal();
  });
  return asking;
}
