// Run with `node --test examples/front-end/permissions.test.js`. With `ROLECALL_ANSWERS`, a file of documents and answers that
// the library wrote, the same answers are expected here.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { can, expiresIn, freshness, parseDocument, parsePosition } from "./permissions.js";

const document = {
  tenant: "acme",
  user: "alice",
  position: { tenant_id: "t1", revision: 7, commit: "c7" },
  instant: "2027-01-31T08:00:00Z",
  valid_until: "2027-01-31T12:00:00.0009Z",
  permissions: ["invoices:pay", "invoices:read"],
};
const morning = new Date("2027-01-31T11:59:59.999Z");
const noon = new Date("2027-01-31T12:00:00Z");

test("a listed permission is allowed until the document expires", () => {
  assert.equal(can(document, "invoices:read", morning), true);
  assert.equal(can(document, "invoices:delete", morning), false);
  assert.equal(can(document, "invoices:*", morning), false);
  assert.equal(can(document, "invoices:read", noon), false);
  assert.equal(can({ ...document, valid_until: null }, "invoices:read", noon), true);
  assert.equal(can({ ...document, valid_until: "soon" }, "invoices:read", morning), false);
  assert.equal(can(document, "invoices:read", new Date(NaN)), false);
  assert.equal(can(null, "invoices:read", morning), false);
});

test("an old document is noticed by its position", () => {
  const { position } = document;
  const at = (/** @type {object} */ changed) => freshness(document, morning, { ...position, ...changed });
  assert.equal(at({}), "current");
  assert.equal(at({ revision: 8, commit: "c8" }), "old");
  assert.equal(at({ revision: 6, commit: "c6" }), "current");
  assert.equal(at({ commit: "restored" }), "old");
  assert.equal(at({ tenant_id: "t2" }), "expired");
  assert.equal(freshness(document, noon, position), "expired");
  assert.equal(freshness(document, morning), "current");
  assert.equal(freshness(null, morning, position), "expired");
});

test("the time that is left can be waited for", () => {
  assert.equal(expiresIn(document, morning), 1);
  assert.equal(expiresIn(document, noon), 0);
  assert.equal(expiresIn({ ...document, valid_until: null }, noon), null);
  assert.equal(expiresIn({ ...document, valid_until: "soon" }, noon), 0);
  // A timer with a longer delay calls back at once.
  assert.equal(expiresIn({ ...document, valid_until: "2099-01-31T12:00:00Z" }, noon), 2_147_483_647);
});

test("a position is read from a header", () => {
  assert.deepEqual(parsePosition("6f9c-1.7.0b1e-2"), { tenant_id: "6f9c-1", revision: 7, commit: "0b1e-2" });
  for (const text of [null, "", "t1", "t1.7", "t1..c7", ".7.c7", "t1.7.", "t1.7.c7.1", "t1.7.c7\n", "t1.-7.c7", "t1.x.c7", "t1.9007199254740992.c7"]) {
    assert.equal(parsePosition(text), undefined, String(text));
  }
});

test("what is not a document is refused", () => {
  assert.deepEqual(parseDocument(JSON.stringify({ ...document, later: 1 })), { ...document, later: 1 });
  for (const member of Object.keys(document)) {
    assert.equal(parseDocument(JSON.stringify({ ...document, [member]: undefined })), null, member);
  }
  for (const text of ["", "null", "[]", "1", '{"permissions": "invoices:read"}']) {
    assert.equal(parseDocument(text), null, text);
  }
});

const answers = process.env.ROLECALL_ANSWERS;
test("the library and the front end agree", { skip: answers === undefined }, () => {
  const cases = JSON.parse(readFileSync(answers ?? "", "utf8"));
  assert.ok(cases.length > 0);
  for (const { document, permission, instant, allowed } of cases) {
    assert.equal(can(parseDocument(document), permission, new Date(instant)), allowed, `${permission} at ${instant}`);
  }
});
