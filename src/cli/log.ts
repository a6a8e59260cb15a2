import pino from "pino";

/** What a process that runs for long writes to stderr, one JSON object a line. */
export function createLog(level: string): pino.Logger {
  // Keys reach no log by themselves; this is for those that stand in an error's fields.
  return pino(
    { level, redact: ["*.authorization", "*.apiKey", "*.headers.authorization"] },
    // Not a destination of its own: what cannot be written is lost there as for the rest of stderr, and ends nothing.
    process.stderr,
  );
}
