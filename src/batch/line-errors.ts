import { type Endpoint, endpoints, limits } from "./limits.ts";

/** One thing that is wrong with a line or a file, with the code, message and param of the batch object's `errors`. */
export interface LineError {
  code: string;
  message: string;
  param: string | null;
}

/** Everything that validation may say. Wordings that OpenAI's API is known to use are kept to the letter. */
export const lineErrors = {
  notJson: error("invalid_json_line", "This line is not parseable as valid JSON.", null),
  tooDeep: error(
    "invalid_request",
    `This line is nested deeper than the maximum of ${limits.nesting} levels.`,
    null,
  ),
  tooLong: (bytes: number, most: number) =>
    error("line_too_large", `This line has ${bytes} bytes, more than the maximum of ${most}.`, null),
  missing: (key: string) => error("missing_required_parameter", `Missing required parameter: '${key}'.`, key),
  repeated: (key: string) =>
    error("invalid_request", `Repeated parameter: '${key}'. It must be given once.`, key),
  customId: (reason: string) =>
    error(
      "invalid_custom_id",
      `The custom_id for this request must be a string of 1 to ${limits.customIdBytes} bytes, but ${reason}.`,
      "custom_id",
    ),
  duplicateId: error(
    "duplicate_custom_id",
    "The custom_id for this request is a duplicate of another request. The custom_id parameter must be unique for each request in a batch.",
    "custom_id",
  ),
  method: (shown: string) =>
    error("invalid_method", `Invalid method: ${shown}. Only 'POST' is supported.`, "method"),
  otherUrl: error(
    "invalid_url",
    "The URL provided for this request does not match the batch endpoint.",
    "url",
  ),
  url: (shown: string) =>
    error(
      "invalid_url",
      `The URL ${shown} provided for this request is not supported. Supported values are: ${supported}.`,
      "url",
    ),
  body: (kind: string) =>
    error("invalid_type", `Invalid type for 'body': expected an object, but got ${kind} instead.`, "body"),
  noModel: error("invalid_request", "Model parameter is required.", "body.model"),
  modelTooLong: error(
    "invalid_request",
    `Model parameter is longer than the maximum of ${limits.modelBytes} bytes.`,
    "body.model",
  ),
  modelNoText: error(
    "invalid_request",
    "Model parameter must be text without NUL and without halves of surrogate pairs.",
    "body.model",
  ),
  otherModel: (model: string | null) =>
    error(
      "mismatched_model",
      `The model '${model ?? ""}' for this request does not match the rest of the batch. Each batch must contain requests for a single model.`,
      "body.model",
    ),
  unknownModel: (model: string | null) =>
    error(
      "model_not_found",
      model === null
        ? "This request names no model, and there is no model server for such requests."
        : `The provided model '${model}' is not supported by the Batch API.`,
      "body.model",
    ),
  streaming: (endpoint: Endpoint | null) =>
    error(
      "streaming_unsupported",
      `${endpoint === null ? "" : `${endpointNames[endpoint]}: `}Streaming is not supported in the Batch API.`,
      "body.stream",
    ),
  emptyFile: error("empty_file", "The batch input file has no requests.", null),
  fileTooLarge: error(
    "file_too_large",
    `The batch input file is larger than the ${limits.strict.fileBytes} maximum. Please try again with a smaller batch.`,
    null,
  ),
  tooManyLines: (lines: number) =>
    error(
      "too_many_lines",
      `The batch input file has ${lines} requests, more than the maximum of ${limits.strict.lines}.`,
      null,
    ),
  more: (count: number) =>
    error(
      "invalid_request",
      `${count} more errors were found. Only the first ${limits.reportedErrors} are listed.`,
      null,
    ),
} as const;

function error(code: string, message: string, param: string | null): LineError {
  return { code, message, param };
}

const supported = endpoints.map((name) => `'${name}'`).join(", ");

const endpointNames: Record<Endpoint, string> = {
  "/v1/chat/completions": "Chat Completions",
  "/v1/embeddings": "Embeddings",
  "/v1/completions": "Completions",
  "/v1/responses": "Responses",
  "/v1/moderations": "Moderations",
};
