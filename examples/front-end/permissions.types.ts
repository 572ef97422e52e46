// Checked by `npm run types`, and never run: the types accept what an application writes, and refuse mistakes. A line below
// `@ts-expect-error` that has no error is an error.

import { can, expiresIn, freshness, parseDocument, parsePosition } from "./permissions.js";
import type { PermissionsDocument, Position } from "./permissions.js";

const now = new Date();
const document: PermissionsDocument | null = parseDocument("{}");
const allowed: boolean = can(document, "invoices:pay", now);
// The position comes from a header of a later answer.
const latest: Position | undefined = parsePosition(new Headers().get("Rolecall-Position"));

switch (freshness(document, now, latest)) {
  case "current":
  case "old":
    break;
  case "expired":
    // @ts-expect-error `null` means that there is no document.
    expiresIn(document, now);
    break;
  // @ts-expect-error There is no such answer.
  case "stale":
    break;
}

// @ts-expect-error A number is not a permission.
can(document, 7, now);
// @ts-expect-error The instant is an argument, as everywhere in the library.
can(document, "invoices:pay");
// @ts-expect-error A text that is not a position has none.
parsePosition("t1.7.c7").revision;
// @ts-expect-error A revision without its tenant and commit is not a position.
freshness(document, now, { revision: 7 });

if (document !== null) {
  const left: number | null = expiresIn(document, now);
  // @ts-expect-error `null` means that the answer never changes by itself.
  setTimeout(() => {}, left + 1);
  // @ts-expect-error `valid_until` is `null` if the answer never changes by itself.
  Date.parse(document.valid_until);
  // @ts-expect-error The member has another name.
  document.expires_at;
}

export { allowed };
