import cliProgress from "cli-progress";
import type { Display } from "./run-display.ts";
import type { RunView } from "./run-view.ts";

/** A bar that stays on the last line of a terminal. */
export function createBar(textOf: (view: RunView) => string): Display {
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
      const text = textOf(view);
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
