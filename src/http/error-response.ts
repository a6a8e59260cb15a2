import { NerifError } from "../batch/errors.ts";
import { type ErrorStatus, errorTable } from "./error-table.ts";

/** The error envelope of the OpenAI API; all four keys are always there. */
export interface ErrorEnvelope {
  error: { message: string; type: string; param: string | null; code: string | null };
}

/** Turns an error into the answer of a request. Nothing of an internal error shows but that there was one. */
export function errorResponse(reason: unknown): Response {
  const error = NerifError.fromUnknown(reason);
  const wire = errorTable[error.code];
  const headers: Record<string, string> = {};
  if (wire.shouldRetry !== null) headers["x-should-retry"] = String(wire.shouldRetry);
  if (wire.status === 401) headers["www-authenticate"] = "Bearer";
  if (error.retryAfterMs !== null) {
    headers["retry-after"] = String(Math.ceil(error.retryAfterMs / 1000));
    headers["retry-after-ms"] = String(Math.ceil(error.retryAfterMs));
  }
  return envelopeResponse(wire.status, {
    envelope: {
      error: {
        message: wire.message ?? error.message,
        type: wire.type,
        param: wire.message === null ? error.param : null,
        code: wire.code,
      },
    },
    headers,
  });
}

export function envelopeResponse(
  status: ErrorStatus | 431,
  { envelope, headers = {} }: { envelope: ErrorEnvelope; headers?: Record<string, string> },
): Response {
  return new Response(JSON.stringify(envelope), {
    status,
    headers: { "content-type": "application/json", ...headers },
  });
}

/** Whether an operator should read about it: the client did nothing wrong. A webhook's receiver is the client's choice. */
export function isServerFault(reason: unknown): boolean {
  return errorTable[NerifError.fromUnknown(reason).code].type === "server_error";
}
