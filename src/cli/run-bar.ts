import cliProgress from "cli-progress";
import type { Display } from "./run-display.ts";
import { progressText, routeTexts } from "./run-text.ts";
import type { RunView } from "./run-view.ts";
import { escapeControls } from "./terminal.ts";

const width = 24;

/** A bar that stays on the last lines of a terminal, with a line below it for each of several routes. */
export function createBar(): Display {
  let drawn: Drawn | null = null;
  const end = () => {
    drawn?.bars.stop();
    drawn = null;
  };
  return {
    show(view) {
      const texts = routeTexts(view);
      // The library has no way to take a line away.
      if (drawn !== null && drawn.routes.length !== texts.length) end();
      drawn ??= draw(view, texts);
      const { counts } = view;
      drawn.whole.setTotal(counts.total);
      drawn.whole.update(doneOf(view), { text: progressText(view) });
      for (const [nth, text] of texts.entries()) drawn.routes[nth]?.update(0, { text: escapeControls(text) });
    },
    above(write) {
      // It goes and comes back below: the library keeps it on the lines where it began.
      end();
      write();
    },
    end,
  };
}

interface Drawn {
  bars: cliProgress.MultiBar;
  whole: cliProgress.SingleBar;
  routes: cliProgress.SingleBar[];
}

function draw(view: RunView, texts: readonly string[]): Drawn {
  const bars = new cliProgress.MultiBar({
    stream: process.stderr,
    fps: 5,
    format: (_, { progress }, payload: { text: string }) => {
      const full = Math.round(progress * width);
      return `${"█".repeat(full)}${"░".repeat(width - full)} ${payload.text}`;
    },
    // Signals are the run's own business.
    gracefulExit: false,
    clearOnComplete: true,
    emptyOnZero: true,
    // The library then cuts lines at the width of the terminal: one that wrapped would spoil those above it.
    linewrap: true,
  });
  const whole = bars.create(view.counts.total, doneOf(view), { text: progressText(view) });
  const format: cliProgress.GenericFormatter = (_options, _params, payload: { text: string }) => payload.text;
  const routes = texts.map((text) => bars.create(1, 0, { text: escapeControls(text) }, { format }));
  return { bars, whole, routes };
}

function doneOf({ counts }: RunView): number {
  return counts.completed + counts.failed;
}
