import type { Batch } from "../batch/batch.ts";
import { isVisible, type StoredFile } from "../batch/file.ts";
import { isFinal } from "../batch/lifecycle.ts";
import type { ControlStore } from "../control/control-store.ts";
import { type Clock, unixSeconds } from "../engine/clock.ts";
import type { Engine } from "../engine/engine.ts";
import type { FileStore } from "../files/file-store.ts";
import type { Journal } from "../journal/journal.ts";
import { openChecked } from "./checked-reader.ts";
import { noSuchFile } from "./files.ts";
import { type JournalPass, journalLines } from "./journal-lines.ts";
import { nextChange } from "./next-change.ts";
import { createLineSet, type LineSet, resultIndex } from "./result-index.ts";
import { eachLine, wholeLines } from "./whole-lines.ts";

/** Least time between two looks at the journal of a running batch, in milliseconds. */
const followPauseMs = 250;

interface ResultsDeps {
  control: ControlStore;
  files: FileStore;
  journal: Journal;
  engine: Engine;
  clock: Clock;
}

export interface FollowOptions {
  /** Goes on until the batch is final. Default false. */
  follow?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * The results of a batch as JSON lines, each once, in buffers of whole lines: of a final batch its output file
 * and then its error file; of a running one what its journal has so far.
 *
 * @param load reads the batch as it is now; refuses when nothing more may be told
 */
export async function* streamResults(
  deps: ResultsDeps,
  load: () => Promise<Batch>,
  { follow = false, signal }: FollowOptions = {},
): AsyncGenerator<Buffer> {
  let batch = await load();
  if (isFinal(batch.status)) {
    yield* fileLines(deps, batch);
    return;
  }
  const pass: JournalPass = { given: createLineSet(), finished: new Set() };
  try {
    for (;;) {
      try {
        yield* journalLines({ ...deps, batch }, pass);
      } catch (reason) {
        // A batch that ends takes its journal with it, also from under those who read it; its files have the rest.
        if (!isFinal((await load()).status)) throw reason;
      }
      batch = await load();
      if (isFinal(batch.status)) break;
      if (!follow) return;
      await nextChange(deps.engine, 1_000, { signal });
      await pause(deps.clock);
      // Before the journal is read again: much may have changed in the meantime.
      await load();
    }
  } finally {
    await pass.copies?.close();
  }
  // It ended while it was read: its journal may be gone, and the error file names lines that were never tried.
  for await (const lines of fileLines(deps, batch))
    yield* missing(lines, { batchId: batch.id, given: pass.given });
}

async function* fileLines({ control, files, clock }: ResultsDeps, batch: Batch): AsyncGenerator<Buffer> {
  const found: StoredFile[] = [];
  // Both before a line of the first: when one is gone, that can be said as long as nothing is.
  for (const id of [batch.output_file_id, batch.error_file_id]) {
    if (id === null) continue;
    const file = await control.getFile(batch.project, id);
    if (file === null || !isVisible(file, unixSeconds(clock))) throw noSuchFile(id);
    found.push(file);
  }
  for (const file of found) {
    const reader = await openChecked(files, file);
    try {
      yield* wholeLines(reader.stream());
    } finally {
      await reader.close();
    }
  }
}

function* missing(lines: Buffer, { batchId, given }: { batchId: string; given: LineSet }): Generator<Buffer> {
  for (const line of eachLine(lines)) {
    if (!given.has(resultIndex(batchId, line))) yield line;
  }
}

/** A batch changes with every answer; looking that often would cost more than the answers. */
function pause(clock: Clock): Promise<void> {
  return new Promise((resolve) => clock.after(followPauseMs, resolve));
}
