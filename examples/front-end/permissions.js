// Uses a permissions document of rolecall in a front end: decides what to show, and notices that the document is old.
//
// It hides buttons and protects nothing. The server checks every request again.
//
// It has no dependencies. `permissions.d.ts` has the types for TypeScript.

/** @typedef {import("./permissions.d.ts").PermissionsDocument} PermissionsDocument */
/** @typedef {import("./permissions.d.ts").Position} Position */

// The functions below have the types that `permissions.d.ts` declares. `tsc` checks it here.
/** @satisfies {typeof import("./permissions.d.ts")} */
({ parseDocument, parsePosition, can, freshness, expiresIn });

/**
 * Reads a document. Returns `null` if the text is not one.
 * @param {string} json
 * @returns {PermissionsDocument | null}
 */
export function parseDocument(json) {
  try {
    const document = JSON.parse(json);
    return isDocument(document) ? document : null;
  } catch {
    return null;
  }
}

/**
 * Reads a position from the text of a header: the tenant's id, the revision and the commit, separated by dots. Returns `undefined`
 * if there is none, or if it is not a position.
 * @param {string | null} text
 * @returns {Position | undefined}
 */
export function parsePosition(text) {
  const [, tenant_id, digits, commit] = /^([\w-]+)\.(\d+)\.([\w-]+)$/.exec(text ?? "") ?? [];
  const revision = Number(digits);
  if (tenant_id === undefined || commit === undefined || !Number.isSafeInteger(revision)) return undefined;
  return { tenant_id, revision, commit };
}

/**
 * Whether the user may do this. `false` without a document, and from its end on.
 * @param {PermissionsDocument | null} document
 * @param {string} permission
 * @param {Date} now
 * @returns {boolean}
 */
export function can(document, permission, now) {
  return document !== null && !isExpired(document, now) && document.permissions.includes(permission);
}

/**
 * Whether the document can be used. `old` means that the tenant has changed: go on, and fetch another one. `expired` means
 * that `can` answers `false` until there is another one.
 * @param {PermissionsDocument | null} document
 * @param {Date} now
 * @param {Position} [latest] the newest position that the server has sent
 * @returns {"current" | "old" | "expired"}
 */
export function freshness(document, now, latest) {
  if (document === null || isExpired(document, now)) return "expired";
  if (latest === undefined) return "current";
  const own = document.position;
  // Another tenant has taken the slug, so nothing of the document is right.
  if (own.tenant_id !== latest.tenant_id) return "expired";
  // The answer that carried the position may be older than the document.
  if (own.revision > latest.revision) return "current";
  // One revision with two commits: a backup was restored.
  return own.revision === latest.revision && own.commit === latest.commit ? "current" : "old";
}

/** The longest time that a timer can wait, nearly 25 days. With a longer one, it calls back at once. */
const LONGEST_DELAY = 2 ** 31 - 1;

/**
 * Milliseconds until another document is needed, for `setTimeout`. `null` if the answer never changes by itself.
 * @param {PermissionsDocument} document
 * @param {Date} now
 * @returns {number | null}
 */
export function expiresIn(document, now) {
  if (document.valid_until === null) return null;
  // An end that cannot be read has passed.
  const left = Date.parse(document.valid_until) - now.getTime();
  return Math.min(Math.max(0, left), LONGEST_DELAY) || 0;
}

/**
 * @param {PermissionsDocument} document
 * @param {Date} now
 */
function isExpired(document, now) {
  // `Date.parse` drops what is below a millisecond. So a document ends a little earlier, never later.
  return document.valid_until !== null && !(now.getTime() < Date.parse(document.valid_until));
}

/** @param {any} document */
function isDocument(document) {
  const isText = (/** @type {unknown} */ value) => typeof value === "string";
  const position = document?.position;
  return (
    isText(document?.tenant) &&
    isText(document.user) &&
    isText(document.instant) &&
    (document.valid_until === null || isText(document.valid_until)) &&
    Array.isArray(document.permissions) &&
    document.permissions.every(isText) &&
    isText(position?.tenant_id) &&
    Number.isSafeInteger(position.revision) &&
    isText(position.commit)
  );
}
