import type { Batch } from "../batch/batch.ts";
import { copiedLine } from "../batch/result-line.ts";
import type { ControlStore } from "../control/control-store.ts";
import { openInput } from "../engine/batch-files.ts";
import { openFollowers } from "../engine/plan/followers.ts";
import { readLines } from "../engine/plan/line-bytes.ts";
import type { FileStore } from "../files/file-store.ts";
import type { LineSet } from "./result-index.ts";

const newline = Buffer.of(0x0a);

/** The lines of a running batch that get the answers of others. */
export interface CopyLines {
  /** Those that get the result of a line, in buffers of whole lines; they are added to `given`. */
  of(leader: number, result: { finished: Buffer; given: LineSet }): AsyncGenerator<Buffer>;
  close(): Promise<void>;
}

/** Null where no answers are shared. @throws NerifError `file_not_found`, `data_damaged`, `input_file_gone` */
export async function openCopyLines(deps: {
  batch: Batch;
  control: ControlStore;
  files: FileStore;
}): Promise<CopyLines | null> {
  const { batch } = deps;
  const followers = await openFollowers(batch, deps);
  if (followers === null) return null;
  const input = await openInput(batch, deps).catch(async (reason: unknown) => {
    await followers.close();
    throw reason;
  });

  return {
    async *of(leader, { finished, given }) {
      for await (const some of followers.of(leader)) {
        const records = some.map(({ record }) => record);
        for (let at = 0; at < records.length; ) {
          const lines = await readLines(input, records, at);
          at += lines.length;
          for (const { record, customId } of lines) {
            const name = { batchId: batch.id, line: record.line, customId };
            given.add(record.line);
            yield Buffer.concat([...copiedLine(finished, name), newline]);
          }
        }
      }
    },
    async close() {
      await followers.close();
      await input.close();
    },
  };
}
