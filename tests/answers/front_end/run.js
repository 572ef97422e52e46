// Runs the recipe of the cookbook, compiled, with the documents and headers that the library wrote.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { calls } from "./page.js";

const { documents, headers } = JSON.parse(readFileSync(new URL("cases.json", import.meta.url), "utf8"));
const timers = [];
globalThis.setTimeout = (callback, delay) => timers.push({ callback, delay });

for (const [number, { document, shows, waits }] of documents.entries()) {
  globalThis.fetch = async (url) => {
    assert.equal(url, "/me/permissions");
    return new Response(document);
  };
  calls.length = timers.length = 0;
  const { onResponse } = await import(`./recipe.js?${number}`);
  assert.deepEqual(calls, shows ? ["showInvoices"] : [], document);

  // A timer cannot wait for longer. It would call back at once.
  assert.ok(timers.every(({ delay }) => delay < 2 ** 31), document);
  // With a clock ahead of the server's, each new document has expired already.
  assert.ok(timers.every(({ delay }) => delay >= 10_000), document);
  assert.equal(timers.length, waits ? 1 : 0, document);
  calls.length = 0;
  timers.forEach(({ callback }) => callback());
  assert.deepEqual(calls, waits ? ["reload"] : [], document);

  for (const { header, reloads } of headers) {
    calls.length = 0;
    onResponse(new Response("", header === null ? {} : { headers: { "Rolecall-Position": header } }));
    assert.deepEqual(calls, reloads ? ["reload"] : [], `${header} after ${document}`);
  }
}
