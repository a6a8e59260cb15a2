/**
 * Every reason for which Nerif refuses or stops something. Callers branch on these; they are part of the
 * public API. What each becomes on the wire is decided in `http/error-table.ts`, its exit code in
 * `cli/exit-codes.ts`.
 */
export const errorCodes = [
  // the request itself
  "invalid_request",
  "missing_required_parameter",
  "unknown_parameter",
  "invalid_type",
  "invalid_value",
  "integer_above_max_value",
  "integer_below_min_value",
  "string_above_max_length",
  "string_below_min_length",
  "empty_array",
  "array_above_max_length",
  "object_above_max_properties",
  "invalid_id",
  "invalid_usage",
  "invalid_configuration",
  // one line of an input file
  "invalid_json_line",
  "invalid_custom_id",
  "duplicate_custom_id",
  "invalid_method",
  "invalid_url",
  "mismatched_model",
  "streaming_unsupported",
  "line_too_large",
  "too_many_lines",
  "model_not_found",
  // files and batches
  "empty_file",
  "file_too_large",
  "invalid_file_format",
  "file_not_found",
  "file_exists",
  "file_in_use",
  "file_not_downloadable",
  "batch_not_found",
  "batch_not_cancellable",
  "batch_not_final",
  "cursor_not_found",
  "input_file_gone",
  // uploads
  "upload_not_found",
  "upload_not_pending",
  "upload_completed",
  // webhooks
  "webhook_endpoint_not_found",
  "webhook_address_refused",
  "webhook_unreachable",
  // keys
  "missing_api_key",
  "invalid_api_key",
  "api_key_not_found",
  "quota_exceeded",
  "rate_limit_exceeded",
  "idempotency_key_reused",
  // nerif run
  "input_changed",
  "output_exists",
  // upstreams
  "upstream_not_configured",
  "upstream_unreachable",
  "upstream_is_self",
  "upstream_account",
  // the service
  "executor_running",
  "data_too_new",
  "data_damaged",
  "disk_full",
  "storage_unavailable",
  "request_forbidden",
  "request_too_large",
  "route_not_found",
  "shutting_down",
  "aborted",
  "internal_error",
] as const;

export type ErrorCode = (typeof errorCodes)[number];

interface NerifErrorOptions {
  param?: string | null;
  cause?: unknown;
  retryAfterMs?: number;
}

/**
 * The one error that Nerif throws. `message` says what was refused and the value or limit that decided
 * ("Cannot <do X>: <reason>"), `param` names the field, `cause` keeps the original error, `retryAfterMs` says when a
 * repeat may succeed, where that is known.
 */
export class NerifError extends Error {
  override readonly name = "NerifError";
  readonly code: ErrorCode;
  readonly param: string | null;
  readonly retryAfterMs: number | null;

  constructor(code: ErrorCode, message: string, options: NerifErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.param = options.param ?? null;
    this.retryAfterMs = options.retryAfterMs ?? null;
  }

  /** Turns anything thrown into a `NerifError`; what is one already passes unchanged. */
  static fromUnknown(reason: unknown, action = "finish the request"): NerifError {
    if (reason instanceof NerifError) return reason;
    const errno = errnoOf(reason);
    if (errno === "ENOSPC" || errno === "EDQUOT") {
      return new NerifError("disk_full", `Cannot ${action}: the disk is full`, { cause: reason });
    }
    if (reason instanceof Error && reason.name === "AbortError") {
      return new NerifError("aborted", `Cannot ${action}: it was aborted`, { cause: reason });
    }
    return new NerifError("internal_error", `Cannot ${action}: an internal error occurred`, {
      cause: reason,
    });
  }
}

/** The system error code of a thrown value (`ENOENT`, `ENOSPC`, ...), or null. */
export function errnoOf(reason: unknown): string | null {
  if (!(reason instanceof Error) || !("code" in reason)) return null;
  return typeof reason.code === "string" ? reason.code : null;
}
