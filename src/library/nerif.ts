import { NerifError } from "../batch/errors.ts";
import { type NerifOptions, type Opened, openNerif } from "../compose.ts";
import { createBatches, type NerifBatches } from "./batches.ts";
import { createFiles, type NerifFiles } from "./files.ts";
import { createKeeper } from "./keep-executing.ts";
import { setOpener } from "./opener.ts";

/** Nerif on one data directory. */
export interface Nerif extends AsyncDisposable {
  readonly batches: NerifBatches;
  readonly files: NerifFiles;
  /**
   * Stops executing and releases the data directory; its batches stay resumable. Calls in flight get `graceMs`
   * milliseconds to be answered, 30,000 unless told otherwise; what is aborted then is sent again later.
   */
  close(options?: { graceMs?: number | undefined }): Promise<void>;
}

const defaultGraceMs = 30_000;

/**
 * An instance of its own, which shares nothing with `Batch` and `BatchFile` but, if told so, the data directory.
 * The directory is opened at the first call of a method.
 */
export function createNerif(options: NerifOptions = {}): Nerif {
  const closing = new AbortController();
  let opening: Promise<Opened> | undefined;
  let closed: Promise<void> | undefined;

  function open(): Promise<Opened> {
    if (closing.signal.aborted) {
      const reason = "this instance is closed";
      return Promise.reject(new NerifError("shutting_down", `Cannot use the data directory: ${reason}`));
    }
    opening ??= openNerif(options).catch((reason) => {
      // The next call tries again: the disk may have room by then.
      opening = undefined;
      throw reason;
    });
    return opening;
  }

  async function release(graceMs: number): Promise<void> {
    closing.abort();
    const opened = await opening?.catch(() => undefined);
    await opened?.close({ graceMs });
  }

  function close({ graceMs = defaultGraceMs }: { graceMs?: number | undefined } = {}): Promise<void> {
    closed ??= release(graceMs);
    return closed;
  }

  const execute = options.execute ?? true;
  const keeper = createKeeper({ execute, closed: closing.signal });
  const nerif: Nerif = {
    files: createFiles(open),
    batches: createBatches(open, { execute, keeper }),
    close,
    [Symbol.asyncDispose]: () => close(),
  };
  setOpener(nerif, () => {
    keeper.serve();
    return open();
  });
  return nerif;
}
