import type { NerifError } from "../../../src/batch/errors.ts";
import type { ExecutorLock } from "../../../src/control/control-store.ts";
import { createSystemClock } from "../../../src/engine/clock.ts";
import { silentLogger } from "../../../src/engine/deps.ts";
import type { Engine } from "../../../src/engine/engine.ts";
import { createEngine } from "../../../src/engine/executor.ts";
import { defaultSettings } from "../../../src/engine/settings.ts";
import { createDiskFileStore } from "../../../src/files/disk.ts";
import { createDiskJournal } from "../../../src/journal/disk.ts";
import { type BatchService, createBatchService } from "../../../src/service/batches.ts";
import { createFileService, type FileService } from "../../../src/service/files.ts";
import { createByteBudgets } from "../../../src/service/quotas.ts";
import type { Upstream } from "../../../src/upstreams/upstream.ts";
import type { WebhookSender } from "../../../src/webhooks/sender.ts";
import { dieNow } from "../world/calls.ts";
import { type Life, theWorld } from "../world/world.ts";
import { createSimulatedControl } from "./control.ts";
import type { Database } from "./database.ts";

/** The program in one life: the real engine and services on the real adapters, in the world. */
export interface Server {
  life: Life;
  engine: Engine;
  files: FileService;
  batches: BatchService;
}

export interface ServerOptions {
  life: Life;
  database: Database;
  upstream: Upstream;
  sender: WebhookSender;
  /** The one lock on the data directory: who has it. */
  lock: { holder: Life | null };
}

export const dataDir = "/data";

/** Builds what `compose.ts` builds. */
export function createServer({ life, database, upstream, sender, lock }: ServerOptions): Server {
  const { weather } = theWorld();
  const control = createSimulatedControl(database);
  const files = createDiskFileStore(`${dataDir}/files`, { onFatal });
  const journal = createDiskJournal({ directory: `${dataDir}/journal`, onFatal });
  const clock = createSystemClock();
  const settings = {
    ...defaultSettings,
    maxAttempts: weather.maxAttempts,
    cancelGraceMs: weather.cancelGraceMs,
    completionWindows: { min: 1, max: 604_800 },
  };
  const engine = createEngine({
    ...{ control, files, journal, clock, settings, sender },
    lock: lockOf(life, lock),
    log: silentLogger,
    pickUpstreams: (model) => (upstream.serves(model) ? [upstream] : []),
    knowsModel: upstream.serves,
  });
  const budgets = createByteBudgets(control);
  return {
    life,
    engine,
    files: createFileService({ control, files, clock, budgets }),
    batches: createBatchService({ control, files, journal, engine, clock, settings, budgets }),
  };
}

/** As in the program: after a failed sync or write nothing may run any more. */
function onFatal(error: NerifError): void {
  theWorld().trace.note(`fatal: ${error.message}`);
  dieNow();
}

function lockOf(life: Life, lock: { holder: Life | null }): ExecutorLock {
  return {
    async acquire() {
      if (lock.holder !== null && !lock.holder.dead && lock.holder !== life) return false;
      lock.holder = life;
      return true;
    },
    holder: async () => null,
    async release() {
      if (lock.holder === life) lock.holder = null;
    },
  };
}
