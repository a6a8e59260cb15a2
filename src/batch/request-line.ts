import { isAscii, isUtf8 } from "node:buffer";
import { type Endpoint, endpointOf, endpoints, limits, shortOf } from "./limits.ts";
import { type LineError, lineErrors } from "./line-errors.ts";
import { at, lineKeys, newLineScan, scanLine } from "./scan-line.ts";
import { equalBytes, openBrace, quote } from "./skip-json.ts";

/** The id of a line. Positions are in bytes from the start of the line. */
export interface LineId {
  /** The JSON string of `custom_id`, its quotes included; `readString` gives its value. */
  idStart: number;
  idEnd: number;
}

/** A request as it stands in its line. */
export interface RequestLine extends LineId {
  endpoint: Endpoint;
  /** Null where the endpoint needs none and the line has none. */
  model: string | null;
  /** The JSON string of `model`, its quotes included; 0 and 0 when there is none. */
  modelStart: number;
  modelEnd: number;
  /** The object that goes to the upstream, byte for byte. */
  bodyStart: number;
  bodyEnd: number;
}

/** `id`: that of a line that is refused for other reasons, or null when it has no good one. */
export type LineCheck =
  | { ok: true; request: RequestLine }
  | { ok: false; errors: LineError[]; id: LineId | null };

export interface LineRules {
  /** The batch's endpoint: with it, every line has to name it (`--strict`). */
  onlyEndpoint?: Endpoint | undefined;
}

/** Checks everything about one line that can be told without the other lines. */
export function checkRequestLine(bytes: Buffer, rules: LineRules = {}): LineCheck {
  if (!isAscii(bytes) && !isUtf8(bytes)) return refused(lineErrors.notJson);
  const verdict = scanLine(bytes, scan, { maxDepth: limits.nesting });
  if (verdict === "invalid") return refused(lineErrors.notJson);
  if (verdict === "too_deep") return refused(lineErrors.tooDeep);

  const errors: LineError[] = [];
  const hasId = checkCustomId(bytes, errors);
  checkMethod(bytes, errors);
  const endpoint = checkUrl(bytes, rules, errors);
  const hasBody = checkBody(bytes, errors);
  const model = hasBody ? checkModel(bytes, endpoint, errors) : null;
  if (hasBody) checkStream(bytes, endpoint, errors);
  if (scan.anyRepeated) checkRepeated(errors);

  const idStart = startOf(at.customId);
  const idEnd = endOf(at.customId);
  if (errors.length > 0 || endpoint === null) {
    return { ok: false, errors, id: hasId ? { idStart, idEnd } : null };
  }
  return {
    ok: true,
    request: {
      idStart,
      idEnd,
      endpoint,
      model,
      modelStart: model === null ? 0 : startOf(at.model),
      modelEnd: model === null ? 0 : endOf(at.model),
      bodyStart: startOf(at.body),
      bodyEnd: endOf(at.body),
    },
  };
}

/** The value of a JSON string that stands between two positions, its quotes included. */
export function readString(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString("utf8", start + 1, end - 1);
  return text.includes("\\") ? (JSON.parse(`"${text}"`) as string) : text;
}

// A check is synchronous and leaves nothing in here that a later one reads.
const scan = newLineScan();

function refused(error: LineError): LineCheck {
  return { ok: false, errors: [error], id: null };
}

function startOf(key: number): number {
  return scan.starts[key] as number;
}

function endOf(key: number): number {
  return scan.ends[key] as number;
}

/** The string that a key has, or null when it has something else. */
function stringAt(bytes: Buffer, key: number): string | null {
  return bytes[startOf(key)] === quote ? readString(bytes, startOf(key), endOf(key)) : null;
}

function checkCustomId(bytes: Buffer, errors: LineError[]): boolean {
  const start = startOf(at.customId);
  if (start < 0) {
    errors.push(lineErrors.missing("custom_id"));
    return false;
  }
  if (bytes[start] !== quote) return refuseId(errors, `it is ${kindAt(bytes, at.customId)}`);
  // As JSON a string has at least as many bytes as by itself.
  const jsonBytes = endOf(at.customId) - start - 2;
  if (jsonBytes === 0) return refuseId(errors, "it is empty");
  if (jsonBytes <= limits.customIdBytes) return true;
  const size = Buffer.byteLength(readString(bytes, start, endOf(at.customId)));
  return size <= limits.customIdBytes || refuseId(errors, `it has ${size} bytes`);
}

function refuseId(errors: LineError[], reason: string): false {
  errors.push(lineErrors.customId(reason));
  return false;
}

const post = Buffer.from('"POST"');

function checkMethod(bytes: Buffer, errors: LineError[]): void {
  const start = startOf(at.method);
  if (start < 0) {
    errors.push(lineErrors.missing("method"));
  } else if (!isAt(bytes, at.method, post) && stringAt(bytes, at.method) !== "POST") {
    errors.push(lineErrors.method(shownAt(bytes, at.method)));
  }
}

/** Those without `/v1`, which only Azure's clients write, are looked at last. */
const quotedUrls = [...endpoints, ...endpoints.map(shortOf)].map((url) => Buffer.from(JSON.stringify(url)));

function checkUrl(bytes: Buffer, { onlyEndpoint }: LineRules, errors: LineError[]): Endpoint | null {
  if (startOf(at.url) < 0) return fail(errors, lineErrors.missing("url"));
  const endpoint = endpointAt(bytes);
  if (onlyEndpoint !== undefined && endpoint !== onlyEndpoint) return fail(errors, lineErrors.otherUrl);
  return endpoint ?? fail(errors, lineErrors.url(shownAt(bytes, at.url)));
}

function endpointAt(bytes: Buffer): Endpoint | null {
  for (let i = 0; i < quotedUrls.length; i += 1) {
    if (isAt(bytes, at.url, quotedUrls[i] as Buffer)) return endpoints[i % endpoints.length] as Endpoint;
  }
  // Some writers of JSON escape every slash.
  return endpointOf(stringAt(bytes, at.url));
}

function checkBody(bytes: Buffer, errors: LineError[]): boolean {
  if (startOf(at.body) < 0) {
    errors.push(lineErrors.missing("body"));
    return false;
  }
  if (bytes[startOf(at.body)] === openBrace) return true;
  errors.push(lineErrors.body(kindAt(bytes, at.body)));
  return false;
}

/** Without an endpoint nobody can say whether a model is needed, so then none is asked for. */
function checkModel(bytes: Buffer, endpoint: Endpoint | null, errors: LineError[]): string | null {
  if (lastModel !== null && isAt(bytes, at.model, lastModel.json)) return lastModel.name;
  const absent = startOf(at.model) < 0 || kindAt(bytes, at.model) === "null";
  if (absent && (endpoint === "/v1/moderations" || endpoint === null)) return null;
  const model = absent ? null : stringAt(bytes, at.model);
  if (model === null || model === "") return fail(errors, lineErrors.noModel);
  if (Buffer.byteLength(model) > limits.modelBytes) return fail(errors, lineErrors.modelTooLong);
  // Only escapes can make such text, and not every database can keep it.
  if (!model.isWellFormed() || model.includes("\0")) return fail(errors, lineErrors.modelNoText);
  lastModel = { json: Buffer.from(bytes.subarray(startOf(at.model), endOf(at.model))), name: model };
  return model;
}

/** The last good model: nearly every line names the one that the line before it named. */
let lastModel: { json: Buffer; name: string } | null = null;

function checkStream(bytes: Buffer, endpoint: Endpoint | null, errors: LineError[]): void {
  const start = startOf(at.stream);
  if (start >= 0 && bytes[start] === 0x74) errors.push(lineErrors.streaming(endpoint));
}

function checkRepeated(errors: LineError[]): void {
  for (const [index, key] of lineKeys.entries()) {
    if (scan.repeated[index] === 1) errors.push(lineErrors.repeated(key));
  }
}

function fail(errors: LineError[], error: LineError): null {
  errors.push(error);
  return null;
}

function isAt(bytes: Buffer, key: number, expected: Uint8Array): boolean {
  const start = startOf(key);
  return endOf(key) - start === expected.length && equalBytes(bytes, start, expected);
}

/** The JSON type of a value, told by its first byte. */
function kindAt(bytes: Buffer, key: number): string {
  switch (bytes[startOf(key)]) {
    case quote:
      return "a string";
    case openBrace:
      return "an object";
    case 0x5b:
      return "an array";
    case 0x74:
    case 0x66:
      return "a boolean";
    case 0x6e:
      return "null";
    default:
      return "a number";
  }
}

/** A value as messages show it: strings shortened, of anything else its type. */
function shownAt(bytes: Buffer, key: number): string {
  const text = stringAt(bytes, key);
  if (text === null) return kindAt(bytes, key);
  return `'${text.length > 100 ? `${text.slice(0, 100)}...` : text}'`;
}
