import type { ControlStore, ExecutorLock } from "../control/control-store.ts";
import type { Engine } from "../engine/engine.ts";
import type { FileStore } from "../files/file-store.ts";
import type { Journal } from "../journal/journal.ts";
import type { Upstream } from "../upstreams/upstream.ts";
import type { BatchService } from "./batches.ts";
import type { FileService } from "./files.ts";
import type { KeyService } from "./keys.ts";
import type { UploadService } from "./uploads.ts";
import type { WebhookService } from "./webhooks.ts";

/** The use cases, whoever asks for them. */
export interface Services {
  files: FileService;
  uploads: UploadService;
  batches: BatchService;
  webhooks: WebhookService;
  keys: KeyService;
}

/** A data directory that is open, with all that works on it. */
export interface Instance {
  service: Services;
  control: ControlStore;
  fileStore: FileStore;
  journal: Journal;
  engine: Engine;
  lock: ExecutorLock;
  /** Absolute. */
  dataDir: string;
  /**
   * The upstreams, connected at the first call: a process that only reads needs none.
   * @throws NerifError `upstream_not_configured`, `invalid_configuration`
   */
  upstreams(): readonly Upstream[];
  /** Stops executing and releases everything; calls in flight get `graceMs` milliseconds, default none. */
  close(options?: { graceMs?: number }): Promise<void>;
}
