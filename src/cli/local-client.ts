import { createReadStream } from "node:fs";
import { basename, resolve } from "node:path";
import { NerifError } from "../batch/errors.ts";
import { type NerifOptions, type Opened, openNerif, resolveDataDir } from "../compose.ts";
import type { Client } from "./client.ts";
import { errorLog } from "./nerif-options.ts";
import { inputPath } from "./run-places.ts";
import { readRunRecord } from "./run-record.ts";
import { placeOfRun } from "./run-store.ts";
import { say } from "./terminal.ts";

const project = "default";

/** Works on a data directory, beside whichever process executes its batches. */
export async function createLocalClient(options: NerifOptions): Promise<Client> {
  const opened = await openFor(options);
  const { files, batches, webhooks } = opened.service;

  async function upload(path: string) {
    const source = createReadStream(await inputPath(resolve(path), path), { highWaterMark: 1024 * 1024 });
    const staged = await files.begin();
    try {
      for await (const chunk of source) await staged.write([chunk]);
      return await staged.finish(project, { filename: basename(path), purpose: "batch" });
    } finally {
      await staged.discard();
    }
  }

  async function* content(id: string) {
    const found = await files.content(project, id);
    try {
      yield* found.stream();
    } finally {
      await found.close();
    }
  }

  return {
    files: {
      upload,
      list: (page) => files.list(project, page),
      retrieve: (id) => files.retrieve(project, id),
      content,
      async delete(id) {
        await files.delete(project, id);
      },
    },
    batches: {
      create: (params) => batches.create(project, params),
      list: (query) => batches.list(project, query),
      retrieve: (id) => batches.retrieve(project, id),
      progress: (id) => batches.progress(project, id),
      cancel: (id) => batches.cancel(project, id),
      retry: (id) => batches.retry(project, id),
      wait(id, waiting) {
        if (!hasUpstream(opened))
          say("No upstream is configured here, so another process has to execute the batch");
        return batches.wait(project, id, waiting);
      },
      results: (id, following) => batches.results(project, id, following),
    },
    webhooks: {
      create: (endpoint) => webhooks.create(project, { ...endpoint }),
      list: (page) => webhooks.list(project, page),
      retrieve: (id) => webhooks.retrieve(project, id),
      async delete(id) {
        await webhooks.delete(project, id);
      },
      rotate: (id, { keepOld }) =>
        webhooks.rotate(project, id, { keep_old_secret_active_for_24_hours: keepOld }),
      test: (id, event_type) => webhooks.test(project, id, { event_type }),
    },
    close: (closing) => opened.close(closing),
  };
}

/** In the store of a `nerif run`: results go where that was to write them, and people learn what is in the way. */
async function ofRun({ dataDir, databaseUrl }: NerifOptions): Promise<Partial<NerifOptions>> {
  const store = resolveDataDir(dataDir);
  if (databaseUrl !== undefined || (await readRunRecord(store)) === null) return {};
  return { placeOf: placeOfRun(store), log: errorLog(say) };
}

/** Refuses upstreams that cannot be used before anything is done. Without any, a cancel still settles its batch. */
async function openFor(options: NerifOptions): Promise<Opened> {
  const ofStore = options.execute === false ? {} : await ofRun(options);
  const opened = await openNerif({ ...options, ...ofStore });
  try {
    if (options.execute !== false) hasUpstream(opened);
    return opened;
  } catch (reason) {
    await opened.close();
    throw reason;
  }
}

/** Without one, waiting never makes this process the one that executes: it could send nothing. */
function hasUpstream(opened: Opened): boolean {
  try {
    opened.upstreams();
    return true;
  } catch (reason) {
    if (reason instanceof NerifError && reason.code === "upstream_not_configured") return false;
    throw reason;
  }
}
