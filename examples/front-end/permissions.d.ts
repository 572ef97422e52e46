// The types of `permissions.js`, for TypeScript.

/** A point in the history of a tenant. */
export interface Position {
  tenant_id: string;
  revision: number;
  commit: string;
}

/** What `Moment::permissions_document` returns, as JSON. */
export interface PermissionsDocument {
  tenant: string;
  user: string;
  position: Position;
  /** RFC 3339. */
  instant: string;
  /** RFC 3339, or `null` if the answer never changes by itself. */
  valid_until: string | null;
  permissions: string[];
}

export type Freshness = "current" | "old" | "expired";

/** Reads a document. Returns `null` if the text is not one. */
export function parseDocument(json: string): PermissionsDocument | null;

/** Reads a position from the text of a header. Returns `undefined` if there is none, or if it is not a position. */
export function parsePosition(text: string | null): Position | undefined;

/** Whether the user may do this. `false` without a document, and from its end on. */
export function can(document: PermissionsDocument | null, permission: string, now: Date): boolean;

/** Whether the document can be used, given the newest position that the server has sent, if any. */
export function freshness(document: PermissionsDocument | null, now: Date, latest?: Position): Freshness;

/**
 * Milliseconds until another document is needed, for `setTimeout`. `null` if the answer never changes by itself. At most 25 days:
 * a timer cannot wait for longer.
 */
export function expiresIn(document: PermissionsDocument, now: Date): number | null;
