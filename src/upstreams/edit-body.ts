import { limits } from "../batch/limits.ts";
import {
  closeBrace,
  colon,
  comma,
  openBrace,
  quote,
  skipSpace,
  skipString,
  skipValue,
} from "../batch/skip-json.ts";
import { beginText } from "../batch/string-stops.ts";

/** What is changed in the bodies of requests on their way to one upstream. */
export interface BodyEdits {
  /** The name of a model at the upstream; null: as in the request. Null itself: nothing is renamed. */
  rename: ((model: string) => string | null) | null;
  /** Put into bodies that have no `priority` of their own; null: nothing is put in. */
  priority: number | null;
}

/**
 * Changes the value of the top-level `model`, and adds a top-level `priority`; every other byte stays as it is. Of keys that
 * are repeated the last one counts, as for `JSON.parse`. What is no JSON object stays as it is altogether.
 *
 * @returns null when there is nothing to change in any body
 */
export function createBodyEditor({ rename, priority }: BodyEdits): ((body: Uint8Array) => Uint8Array) | null {
  if (rename === null && priority === null) return null;
  const member = priority === null ? "" : `"priority":${priority}`;
  return (given) => {
    const body = Buffer.from(given.buffer, given.byteOffset, given.byteLength);
    const found = locate(body);
    if (found === null) return given;
    const parts: Uint8Array[] = [];
    let kept = 0;
    if (priority !== null && !found.hasPriority) {
      parts.push(body.subarray(0, found.inside), Buffer.from(found.isEmpty ? member : `${member},`));
      kept = found.inside;
    }
    const name = rename === null ? null : newName(body, found, rename);
    if (name !== null) {
      parts.push(body.subarray(kept, found.modelStart), Buffer.from(JSON.stringify(name)));
      kept = found.modelEnd;
    }
    return parts.length === 0 ? given : Buffer.concat([...parts, body.subarray(kept)]);
  };
}

interface Found {
  /** Behind the opening brace. */
  inside: number;
  isEmpty: boolean;
  /** The value of `model`; 0 and 0 when there is none that is a string. */
  modelStart: number;
  modelEnd: number;
  hasPriority: boolean;
}

function newName(body: Buffer, found: Found, rename: NonNullable<BodyEdits["rename"]>): string | null {
  if (found.modelEnd === 0) return null;
  const model: string = JSON.parse(body.toString("utf8", found.modelStart, found.modelEnd));
  return rename(model);
}

function locate(body: Buffer): Found | null {
  beginText(body);
  let pos = skipSpace(body, 0);
  if (body[pos] !== openBrace) return null;
  const found: Found = { inside: pos + 1, isEmpty: false, modelStart: 0, modelEnd: 0, hasPriority: false };
  pos = skipSpace(body, pos + 1);
  if (body[pos] === closeBrace) return { ...found, isEmpty: true };
  while (body[pos] === quote) {
    const keyStart = pos;
    pos = skipString(body, pos + 1);
    if (pos < 0) return null;
    const key = keyIn(body.subarray(keyStart, pos));
    pos = skipSpace(body, pos);
    if (body[pos] !== colon) return null;
    const start = skipSpace(body, pos + 1);
    pos = skipValue(body, start, limits.nesting);
    if (pos < 0) return null;
    if (key === "priority") found.hasPriority = true;
    if (key === "model") {
      const isText = body[start] === quote;
      found.modelStart = isText ? start : 0;
      found.modelEnd = isText ? pos : 0;
    }
    pos = skipSpace(body, pos);
    if (body[pos] === closeBrace) return found;
    if (body[pos] !== comma) return null;
    pos = skipSpace(body, pos + 1);
  }
  return null;
}

/** An escape takes up to six bytes for one letter; a longer key is none of those that are looked for. */
const longestKey = 6 * "priority".length + 2;

function keyIn(text: Buffer): unknown {
  return text.length > longestKey ? null : JSON.parse(text.toString());
}
