import type { BatchError } from "../batch/batch.ts";
import type { NerifError } from "../batch/errors.ts";
import type { RunReport } from "./run-report.ts";

/** At most one progress event in so many milliseconds. */
const intervalMs = 1_000;

/** The report for programs: one JSON object a line. */
export function createRunEvents(stream: NodeJS.WritableStream, now: () => number): RunReport {
  let shownAt = Number.NEGATIVE_INFINITY;
  let waits = "[]";
  const emit = (event: string, content: object) => {
    stream.write(`${JSON.stringify({ event, ...content })}\n`);
  };
  return {
    started: (start) => emit("started", start),
    progress({ counts, inFlight, rate, etaMs, routes, waits: waiting }) {
      const waitsNow = JSON.stringify(waiting.map(({ route, code }) => [route, code]));
      if (waitsNow !== waits) emit("waiting", { routes: waiting });
      waits = waitsNow;
      if (now() - shownAt < intervalMs) return;
      shownAt = now();
      const eta_seconds = etaMs === null ? null : Math.round(etaMs / 1_000);
      const pace = { in_flight: inFlight, rate: Math.round(rate * 10) / 10, eta_seconds };
      emit("progress", { ...counts, ...pace, routes });
    },
    note: (message) => emit("note", { message }),
    invalid(errors) {
      for (const error of errors) emit("invalid_line", lineOf(error));
    },
    ended({ counts, tookMs, exitCode, firstFailure: first_failure, retryable: _, ...end }) {
      const took_seconds = tookMs === null ? null : tookMs / 1_000;
      const took = { already: tookMs === null, took_seconds };
      emit("finished", { ...end, ...counts, first_failure, ...took, exit_code: exitCode });
    },
    stopped: ({ exitCode, counts, reason }) => emit("stopped", { reason, ...counts, exit_code: exitCode }),
    failed: (error: NerifError, exitCode) =>
      emit("error", { code: error.code, message: error.message, param: error.param, exit_code: exitCode }),
  };
}

function lineOf({ line, code, message, param }: BatchError): object {
  return { line, code, message, param };
}
