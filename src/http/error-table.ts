import type { ErrorCode } from "../batch/errors.ts";

/** What an error is on the wire. */
export interface WireError {
  status: ErrorStatus;
  type: "invalid_request_error" | "server_error";
  /** `error.code`; null where OpenAI sends null. */
  code: string | null;
  /** False: tells the SDKs, which repeat 409 and 5xx by themselves, that a repeat cannot mend it. */
  shouldRetry: boolean | null;
  /** Shown in place of the error's own message, which may name what is none of a client's business. */
  message: string | null;
}

export type ErrorStatus = 400 | 401 | 403 | 404 | 408 | 409 | 412 | 413 | 416 | 429 | 500 | 502 | 503 | 507;

/** Every reason for a refusal and what a client sees of it. */
export const errorTable: Record<ErrorCode, WireError> = {
  invalid_request: refusal(400, null),
  missing_required_parameter: refusal(400, "missing_required_parameter"),
  unknown_parameter: refusal(400, "unknown_parameter"),
  invalid_type: refusal(400, "invalid_type"),
  invalid_value: refusal(400, "invalid_value"),
  integer_above_max_value: refusal(400, "integer_above_max_value"),
  integer_below_min_value: refusal(400, "integer_below_min_value"),
  string_above_max_length: refusal(400, "string_above_max_length"),
  string_below_min_length: refusal(400, "string_below_min_length"),
  empty_array: refusal(400, "empty_array"),
  array_above_max_length: refusal(400, "array_above_max_length"),
  object_above_max_properties: refusal(400, "object_above_max_properties"),
  invalid_id: refusal(400, null),

  invalid_json_line: refusal(400, "invalid_json_line"),
  invalid_custom_id: refusal(400, "invalid_custom_id"),
  duplicate_custom_id: refusal(400, "duplicate_custom_id"),
  invalid_method: refusal(400, "invalid_method"),
  invalid_url: refusal(400, "invalid_url"),
  mismatched_model: refusal(400, "mismatched_model"),
  streaming_unsupported: refusal(400, "streaming_unsupported"),
  line_too_large: refusal(400, "line_too_large"),
  too_many_lines: refusal(400, "too_many_lines"),
  model_not_found: refusal(400, "model_not_found"),

  empty_file: refusal(400, "empty_file"),
  file_too_large: refusal(400, null),
  invalid_file_format: refusal(400, null),
  file_not_found: refusal(404, null),
  file_exists: conflict("file_exists"),
  file_in_use: conflict("file_in_use"),
  file_not_downloadable: refusal(400, null),
  batch_not_found: refusal(404, null),
  batch_not_cancellable: conflict(null),
  batch_not_final: conflict("batch_not_final"),
  cursor_not_found: refusal(404, null),
  input_file_gone: conflict("input_file_gone"),

  upload_not_found: refusal(404, null),
  upload_not_pending: refusal(400, null),
  upload_completed: conflict("upload_completed"),

  webhook_endpoint_not_found: refusal(404, null),
  webhook_address_refused: refusal(400, "webhook_address_refused"),
  webhook_unreachable: { ...refusal(502, "webhook_unreachable"), shouldRetry: false },

  missing_api_key: refusal(401, null),
  invalid_api_key: refusal(401, "invalid_api_key"),
  api_key_not_found: refusal(404, null),
  // A quota is still used up when the request comes again; a rate is not.
  quota_exceeded: { ...refusal(429, "quota_exceeded"), shouldRetry: false },
  rate_limit_exceeded: refusal(429, "rate_limit_exceeded"),
  idempotency_key_reused: conflict("idempotency_key_reused"),

  request_forbidden: refusal(403, "request_forbidden"),
  request_too_large: refusal(413, "request_too_large"),
  route_not_found: refusal(404, null),
  aborted: refusal(408, null),

  disk_full: { ...failure(507, "disk_full", "The disk of this server is full."), shouldRetry: false },
  storage_unavailable: failure(503, "storage_unavailable", "The storage of this server is not available."),
  shutting_down: failure(503, "shutting_down", "This server is shutting down."),
  upstream_unreachable: failure(502, "upstream_unreachable", "No upstream answered."),
  upstream_not_configured: failure(503, "upstream_not_configured", "No upstream is configured."),
  upstream_account: failure(502, "upstream_account", "The upstream refused the account of this server."),
  data_damaged: {
    ...failure(500, "data_damaged", "The stored data of this request is damaged."),
    shouldRetry: false,
  },
  internal_error: internal(),

  // These never come from serving a request.
  invalid_usage: internal(),
  invalid_configuration: internal(),
  input_changed: internal(),
  output_exists: internal(),
  upstream_is_self: internal(),
  executor_running: internal(),
  data_too_new: internal(),
};

function refusal(status: ErrorStatus, code: string | null): WireError {
  return { status, type: "invalid_request_error", code, shouldRetry: null, message: null };
}

function conflict(code: string | null): WireError {
  return { ...refusal(409, code), shouldRetry: false };
}

function failure(status: ErrorStatus, code: string, message: string): WireError {
  return { status, type: "server_error", code, shouldRetry: null, message };
}

function internal(): WireError {
  return {
    ...failure(500, "internal_error", ""),
    code: null,
    message: "The server had an error while processing your request. Its log has more under the request id.",
  };
}
