import { formatDuration } from "../batch/duration.ts";
import type { FirstFailure } from "./first-failure.ts";
import type { Display } from "./run-display.ts";
import type { RunEnd, RunReport, RunStart, RunStop } from "./run-report.ts";
import { progressText, routeTexts } from "./run-text.ts";
import { errorLine } from "./show.ts";
import { counted, escapeControls, formatCount, isTerminal, say, sayIn } from "./terminal.ts";

/** Without a terminal, a line in so many milliseconds. */
const intervalMs = 5_000;

/** A route that waits again and again is not worth a line each time. */
const repeatMs = 60_000;

/** Characters of a failure: a model server may say much. */
const mostShown = 400;

/** Without a terminal, the lines of several routes come once in so many milliseconds. */
const routesMs = 30_000;

/** The report for people, on stderr: a bar on a terminal, else a line every few seconds. */
export async function createRunProgress(now: () => number): Promise<RunReport> {
  // Only a terminal needs what draws a bar.
  const display = isTerminal() ? (await import("./run-bar.ts")).createBar() : createLines(now);
  const saidAt = new Map<string, number>();
  return {
    started(start) {
      for (const line of startLines(start)) say(line);
    },
    progress(view) {
      for (const { route, code, message } of view.waits) {
        const key = `${route}\n${code}`;
        if (now() - (saidAt.get(key) ?? Number.NEGATIVE_INFINITY) < repeatMs) continue;
        saidAt.set(key, now());
        display.above(() => sayIn("yellow", `${route} waits: ${message}`));
      }
      display.show(view);
    },
    note: (text) => display.above(() => say(text)),
    invalid(errors) {
      display.end();
      for (const error of errors) say(errorLine(error));
    },
    ended(end) {
      display.end();
      for (const line of endLines(end)) sayIn(line.format, line.text);
    },
    stopped(stop) {
      display.end();
      sayIn("yellow", stopLine(stop));
    },
    failed(error) {
      display.end();
      sayIn("red", `nerif: ${error.message}`);
    },
  };
}

function createLines(now: () => number): Display {
  let shownAt = now();
  let routesAt = Number.NEGATIVE_INFINITY;
  return {
    show(view) {
      if (now() - shownAt < intervalMs) return;
      shownAt = now();
      say(progressText(view));
      if (now() - routesAt < routesMs) return;
      routesAt = now();
      for (const text of routeTexts(view)) say(text);
    },
    above: (write) => write(),
    end() {},
  };
}

function startLines({ input, output, upstreams, resumed, batch }: RunStart): string[] {
  const from = `${input ?? "stdin"} (${batch}) at ${upstreams.join(", ")}`;
  return [`${resumed ? "Going on with" : "Running"} ${from}, results to ${output ?? "stdout"}`];
}

interface ColouredLine {
  format: "green" | "yellow" | "red" | "dim";
  text: string;
}

function endLines(end: RunEnd): ColouredLine[] {
  const { counts, status, tookMs } = end;
  const done = `${counted(counts.total, "line")}: ${formatCount(counts.completed)} succeeded, ${formatCount(counts.failed)} failed`;
  const neither = counts.total - counts.completed - counts.failed;
  const undone = neither > 0 ? `, ${formatCount(neither)} not done` : "";
  const head =
    tookMs === null
      ? `This run is finished already (${status})`
      : `${headOf(end)} in ${formatDuration(tookMs)}`;
  const lines: ColouredLine[] = [
    {
      format: status === "completed" && counts.failed === 0 ? "green" : "yellow",
      text: `${head}: ${done}${undone}`,
    },
  ];
  if (end.output !== null) lines.push({ format: "dim", text: `  results       ${end.output}` });
  if (end.errors !== null) lines.push({ format: "dim", text: `  failed lines  ${end.errors}` });
  if (end.firstFailure !== null) {
    lines.push({ format: "dim", text: `  first failure ${failureText(end.firstFailure)}` });
  }
  if (end.retryable) {
    const store = escapeControls(JSON.stringify(end.store));
    lines.push({
      format: "dim",
      text: `  try them again with  nerif batches retry ${end.batch} --data-dir ${store}`,
    });
  }
  if (tookMs === null) lines.push({ format: "dim", text: "  --force runs everything again" });
  return lines;
}

function failureText({ custom_id, code, message }: FirstFailure): string {
  const text = `${JSON.stringify(custom_id)}: ${code}: ${message}`;
  return escapeControls(text.length > mostShown ? `${text.slice(0, mostShown)}…` : text);
}

function headOf({ status }: RunEnd): string {
  if (status === "completed") return "Finished";
  return status === "expired" ? "Past the deadline" : "Cancelled";
}

function stopLine({ counts, reason }: RunStop): string {
  const kept =
    counts === null || counts.total === 0
      ? ""
      : `${formatCount(counts.completed + counts.failed)} of ${counted(counts.total, "line")} are done and kept. `;
  const why = { interrupted: "Interrupted. ", account: "", unreachable: "", failed: "" }[reason];
  return `${why}${kept}Run the same command again to go on.`;
}
