import cliProgress from "cli-progress";
import type { BatchError } from "../batch/batch.ts";
import { formatDuration } from "../batch/duration.ts";
import type { RunEnd, RunReport, RunStart, RunStop } from "./run-report.ts";
import type { RunView } from "./run-view.ts";
import { counted, escapeControls, formatCount, isTerminal, say, sayIn } from "./terminal.ts";

/** Without a terminal, a line in so many milliseconds. */
const intervalMs = 5_000;

/** A route that waits again and again is not worth a line each time. */
const repeatMs = 60_000;

/** The report for people, on stderr: a bar on a terminal, else a line every few seconds. */
export function createRunProgress(now: () => number): RunReport {
  const display = isTerminal() ? createBar() : createLines(now);
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

interface Display {
  show(view: RunView): void;
  /** Lets `write` write whole lines without tearing the display. */
  above(write: () => void): void;
  end(): void;
}

function createLines(now: () => number): Display {
  let shownAt = now();
  return {
    show(view) {
      if (now() - shownAt < intervalMs) return;
      shownAt = now();
      say(
        `${formatCount(view.counts.completed + view.counts.failed)}/${formatCount(view.counts.total)} done, ${rest(view)}`,
      );
    },
    above: (write) => write(),
    end() {},
  };
}

function createBar(): Display {
  const bar = new cliProgress.SingleBar({
    stream: process.stderr,
    fps: 5,
    barsize: 24,
    barCompleteChar: "█",
    barIncompleteChar: "░",
    format: (options, { progress }, payload: { text: string }) => {
      const full = Math.round(progress * (options.barsize ?? 24));
      return `${"█".repeat(full)}${"░".repeat((options.barsize ?? 24) - full)} ${payload.text}`;
    },
    // Signals are the run's own business.
    gracefulExit: false,
    clearOnComplete: true,
    emptyOnZero: true,
    linewrap: true,
  });
  let active = false;
  const stop = () => {
    if (active) bar.stop();
    active = false;
  };
  return {
    show(view) {
      const done = view.counts.completed + view.counts.failed;
      const text = `${formatCount(done)}/${formatCount(view.counts.total)} done, ${rest(view)}`;
      if (!active) bar.start(view.counts.total, done, { text });
      active = true;
      bar.setTotal(view.counts.total);
      bar.update(done, { text });
    },
    above(write) {
      // It goes and comes back below: the library keeps it on the line where it began.
      stop();
      write();
    },
    end: stop,
  };
}

function rest({ counts, rate, inFlight, etaMs }: RunView): string {
  const speed = rate >= 10 ? formatCount(Math.round(rate)) : rate.toFixed(1);
  const left = etaMs === null ? "" : `, about ${formatDuration(etaMs)} left`;
  return `${formatCount(counts.failed)} failed, ${speed}/s, ${inFlight} in flight${left}`;
}

function startLines({ input, output, upstreams, resumed, batch }: RunStart): string[] {
  const from = `${input ?? "stdin"} (${batch}) at ${upstreams.join(", ")}`;
  return [`${resumed ? "Going on with" : "Running"} ${from}, results to ${output ?? "stdout"}`];
}

/** One bad line of an input file, as `run` and `validate` show it. */
export function errorLine({ line, code, message }: BatchError): string {
  return `${line === null ? "" : `line ${line}: `}${code}: ${message}`;
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
