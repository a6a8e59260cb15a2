import type { NerifError } from "../batch/errors.ts";
import type { ControlStore, ExecutorLock } from "../control/control-store.ts";
import type { FileStore } from "../files/file-store.ts";
import type { Journal } from "../journal/journal.ts";
import type { Upstream } from "../upstreams/upstream.ts";
import type { WebhookSender } from "../webhooks/sender.ts";
import type { Clock } from "./clock.ts";
import type { EngineSettings } from "./settings.ts";

/** What the engine runs on. */
export interface EngineDeps {
  control: ControlStore;
  files: FileStore;
  journal: Journal;
  lock: ExecutorLock;
  clock: Clock;
  settings: EngineSettings;
  /** The upstreams for lines with this model; none when none is configured. Always the same objects for the same ones. */
  pickUpstreams: (model: string | null) => readonly Upstream[];
  /** Whether some upstream serves this model; true as long as none is configured: such batches wait. */
  knowsModel: (model: string | null) => boolean;
  log: Logger;
  /** A number in [0, 1), for jitter. Default `Math.random`. */
  random?: () => number;
  /** Told when a batch stumbled; it is tried again by itself. */
  onProblem?: (batchId: string, error: NerifError) => void;
  /** Tells receivers of batches that have ended. Default: nobody is told by this process. */
  sender?: WebhookSender;
  /**
   * Ends what still waits for files and results. Called when a stop has had its grace and 5 s more: an object store
   * that says nothing would hold it for minutes; what is told in time is kept. Default: nothing is given up.
   */
  giveUpFiles?: () => void;
  /** Where the result files of a batch go instead of the file store; null for there. Default: all go there. */
  placeOf?: PlaceOf;
}

/** Absolute paths (`nerif run`). */
export interface ResultPlace {
  output: string;
  /** Null: failed lines stand in the output, in their place. */
  error: string | null;
  /** Whether files that something else wrote may be replaced. */
  replace: boolean;
}

export type PlaceOf = (batchId: string) => Promise<ResultPlace | null>;

export interface Logger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export const silentLogger: Logger = { info() {}, warn() {}, error() {} };
