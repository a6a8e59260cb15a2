import { createHash } from "node:crypto";
import { basename, dirname, isAbsolute, join } from "node:path";
import { NerifError } from "../batch/errors.ts";

const ownKey = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;
const temporary = /\.tmp-[0-9a-f]{16}$/;

/** Whether a key is a path that the operator chose, not an id of Nerif's own making. */
export function isOperatorPath(key: string): boolean {
  return isAbsolute(key);
}

/**
 * Refuses a key that is neither a path nor safe as a file name. The key is not repeated in full: it may have
 * come from a client.
 * @throws NerifError `invalid_id`
 */
export function assertKey(key: string): void {
  const refused = isAbsolute(key)
    ? key.includes("\0") || basename(key) === ""
    : !ownKey.test(key) || key.includes("..") || temporary.test(key);
  if (!refused) return;
  const shown = JSON.stringify(key.slice(0, 80));
  throw new NerifError(
    "invalid_id",
    `Cannot use ${shown} as a file key: it is neither an id nor an absolute path`,
  );
}

/** Where the bytes of a key are. @throws NerifError `invalid_id` */
export function pathOf(directory: string, key: string): string {
  assertKey(key);
  return isAbsolute(key) ? key : join(directory, key);
}

/** A name beside `path` that nothing else uses, recognisable by `isTemporary`. */
export function temporaryPath(path: string, random: string): string {
  return join(dirname(path), `${temporaryPrefix(path)}.tmp-${random}`);
}

/** Whether a directory entry is what a writer left behind; with `path`, a writer of that very file. */
export function isTemporary(entry: string, path?: string): boolean {
  if (!temporary.test(entry)) return false;
  return path === undefined || entry.replace(temporary, "") === temporaryPrefix(path);
}

/**
 * A file name has at most 255 bytes; 50 UTF-16 units are at most 150, so sum and suffix always fit. Without the sum
 * two files whose long names begin alike would take each other's temporaries for their own.
 */
function temporaryPrefix(path: string): string {
  const name = basename(path);
  if (name.length <= 50) return name;
  return `${name.slice(0, 50)}-${createHash("sha256").update(name).digest("hex").slice(0, 16)}`;
}
