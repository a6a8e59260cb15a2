import { isAscii, isUtf8 } from "node:buffer";
import { type Endpoint, endpoints, limits } from "./limits.ts";
import { at, equalBytes, lineKeys, newLineScan, scanLine } from "./scan-line.ts";

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

/** One thing that is wrong with a line, with the code, message and param of the batch object's `errors`. */
export interface LineError {
  code: string;
  message: string;
  param: string | null;
}

/** `id`: that of a line that is refused for other reasons, or null when it has no good one. */
export type LineCheck =
  | { ok: true; request: RequestLine }
  | { ok: false; errors: LineError[]; id: LineId | null };

export interface LineRules {
  /** The batch's endpoint: with it, every line has to name it (`--strict`). */
  onlyEndpoint?: Endpoint | undefined;
}

/** Longest model name in bytes of UTF-8; a plan has room for it even if every letter is escaped. */
const modelBytes = 1024;

/** Checks everything about one line that can be told without the other lines. */
export function checkRequestLine(bytes: Buffer, rules: LineRules = {}): LineCheck {
  if (!isAscii(bytes) && !isUtf8(bytes)) return refused(notJson);
  const verdict = scanLine(bytes, scan, { maxDepth: limits.nesting });
  if (verdict === "invalid") return refused(notJson);
  if (verdict === "too_deep") return refused(tooDeep);

  const errors: LineError[] = [];
  const hasId = checkCustomId(bytes, errors);
  checkMethod(bytes, errors);
  const endpoint = checkUrl(bytes, rules, errors);
  const hasBody = checkBody(bytes, errors);
  const model = hasBody ? checkModel(bytes, endpoint, errors) : null;
  if (hasBody) checkStream(bytes, endpoint, errors);
  if (scan.anyRepeated) errors.push(...repeatedKeys());

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

const notJson: LineError = {
  code: "invalid_json_line",
  message: "This line is not parseable as valid JSON.",
  param: null,
};
const tooDeep: LineError = {
  code: "invalid_request",
  message: `This line is nested deeper than the maximum of ${limits.nesting} levels.`,
  param: null,
};

function refused(error: LineError): LineCheck {
  return { ok: false, errors: [error], id: null };
}

function repeatedKeys(): LineError[] {
  return lineKeys
    .filter((_, index) => scan.repeated[index] === 1)
    .map((key) => ({
      code: "invalid_request",
      message: `Repeated parameter: '${key}'. It must be given once.`,
      param: key,
    }));
}

function missing(key: string): LineError {
  return {
    code: "missing_required_parameter",
    message: `Missing required parameter: '${key}'.`,
    param: key,
  };
}

function startOf(key: number): number {
  return scan.starts[key] as number;
}

function endOf(key: number): number {
  return scan.ends[key] as number;
}

const quote = 0x22;

/** The string that a key has, or null when it has something else. */
function stringAt(bytes: Buffer, key: number): string | null {
  return bytes[startOf(key)] === quote ? readString(bytes, startOf(key), endOf(key)) : null;
}

function checkCustomId(bytes: Buffer, errors: LineError[]): boolean {
  const start = startOf(at.customId);
  if (start < 0) {
    errors.push(missing("custom_id"));
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
  const message = `The custom_id for this request must be a string of 1 to ${limits.customIdBytes} bytes, but ${reason}.`;
  errors.push({ code: "invalid_custom_id", message, param: "custom_id" });
  return false;
}

const post = Buffer.from('"POST"');

function checkMethod(bytes: Buffer, errors: LineError[]): void {
  const start = startOf(at.method);
  if (start < 0) {
    errors.push(missing("method"));
  } else if (!isAt(bytes, at.method, post) && stringAt(bytes, at.method) !== "POST") {
    const message = `Invalid method: ${shownAt(bytes, at.method)}. Only 'POST' is supported.`;
    errors.push({ code: "invalid_method", message, param: "method" });
  }
}

const quotedEndpoints = endpoints.map((endpoint) => Buffer.from(JSON.stringify(endpoint)));

function checkUrl(bytes: Buffer, { onlyEndpoint }: LineRules, errors: LineError[]): Endpoint | null {
  if (startOf(at.url) < 0) return fail(errors, missing("url"));
  const endpoint = endpointAt(bytes);
  if (onlyEndpoint !== undefined && endpoint !== onlyEndpoint) {
    const message = "The URL provided for this request does not match the batch endpoint.";
    return fail(errors, { code: "invalid_url", message, param: "url" });
  }
  if (endpoint !== null) return endpoint;
  const supported = endpoints.map((name) => `'${name}'`).join(", ");
  const message = `The URL ${shownAt(bytes, at.url)} provided for this request is not supported. Supported values are: ${supported}.`;
  return fail(errors, { code: "invalid_url", message, param: "url" });
}

function endpointAt(bytes: Buffer): Endpoint | null {
  for (let i = 0; i < endpoints.length; i += 1) {
    if (isAt(bytes, at.url, quotedEndpoints[i] as Buffer)) return endpoints[i] as Endpoint;
  }
  // Some writers of JSON escape every slash.
  const url = stringAt(bytes, at.url);
  return endpoints.find((endpoint) => endpoint === url) ?? null;
}

function checkBody(bytes: Buffer, errors: LineError[]): boolean {
  if (startOf(at.body) < 0) {
    errors.push(missing("body"));
    return false;
  }
  if (bytes[startOf(at.body)] === 0x7b) return true;
  const message = `Invalid type for 'body': expected an object, but got ${kindAt(bytes, at.body)} instead.`;
  errors.push({ code: "invalid_type", message, param: "body" });
  return false;
}

/** Without an endpoint nobody can say whether a model is needed, so then none is asked for. */
function checkModel(bytes: Buffer, endpoint: Endpoint | null, errors: LineError[]): string | null {
  if (lastModel !== null && isAt(bytes, at.model, lastModel.json)) return lastModel.name;
  const absent = startOf(at.model) < 0 || kindAt(bytes, at.model) === "null";
  if (absent && (endpoint === "/v1/moderations" || endpoint === null)) return null;
  const model = absent ? null : stringAt(bytes, at.model);
  if (model === null || model === "") return fail(errors, badModel("Model parameter is required."));
  if (3 * model.length > modelBytes && Buffer.byteLength(model) > modelBytes) {
    return fail(errors, badModel(`Model parameter is longer than the maximum of ${modelBytes} bytes.`));
  }
  // Only escapes can make such text, and not every database can keep it.
  if (!model.isWellFormed() || model.includes("\0")) {
    const message = "Model parameter must be text without NUL and without halves of surrogate pairs.";
    return fail(errors, badModel(message));
  }
  lastModel = { json: Buffer.from(bytes.subarray(startOf(at.model), endOf(at.model))), name: model };
  return model;
}

/** The last good model: nearly every line names the one that the line before it named. */
let lastModel: { json: Buffer; name: string } | null = null;

function badModel(message: string): LineError {
  return { code: "invalid_request", message, param: "body.model" };
}

const endpointNames: Record<Endpoint, string> = {
  "/v1/chat/completions": "Chat Completions",
  "/v1/embeddings": "Embeddings",
  "/v1/completions": "Completions",
  "/v1/responses": "Responses",
  "/v1/moderations": "Moderations",
};

function checkStream(bytes: Buffer, endpoint: Endpoint | null, errors: LineError[]): void {
  const start = startOf(at.stream);
  if (start < 0 || bytes[start] !== 0x74) return;
  const what = endpoint === null ? "" : `${endpointNames[endpoint]}: `;
  const message = `${what}Streaming is not supported in the Batch API.`;
  errors.push({ code: "streaming_unsupported", message, param: "body.stream" });
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
    case 0x7b:
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
