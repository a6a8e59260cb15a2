import { closeSync, openSync, writeSync } from "node:fs";

/** One request that the simulator got whole. */
export interface LoggedRequest {
  /** When it came, Unix time in milliseconds. */
  time: number;
  path: string;
  /** Hexadecimal SHA-256 of the body. */
  body_sha256: string;
  idempotency_key: string | null;
  /** Null when no answer was sent: it hung, was reset, or the client went away first. */
  status: number | null;
}

export interface RequestLog {
  write(request: LoggedRequest): void;
  close(): void;
}

/**
 * A file of JSON lines. Each is written before the answer is sent, so whoever has an answer finds it in the log.
 */
export function openRequestLog(path: string): RequestLog {
  const file = openSync(path, "a");
  return {
    write: (request) => void writeSync(file, `${JSON.stringify(request)}\n`),
    close: () => closeSync(file),
  };
}
