import type { RunView } from "./run-view.ts";

/** Where the progress of a run is seen. */
export interface Display {
  show(view: RunView): void;
  /** Lets `write` write whole lines without tearing the display. */
  above(write: () => void): void;
  end(): void;
}
