import { createReadStream } from "node:fs";
import type { Command } from "commander";
import { NerifError } from "../batch/errors.ts";
import { isFinal } from "../batch/lifecycle.ts";
import { type Opened, resolveDataDir } from "../compose.ts";
import { addOptions, type Config, resolveConfig } from "./config.ts";
import { exitCodeOf, exitCodes } from "./exit-codes.ts";
import { engineOptions, errorLog, nerifOptions } from "./nerif-options.ts";
import type { OptionName } from "./options.ts";
import { beginRun, exists, refuseForeign } from "./run-begin.ts";
import { decide, type WantedRun } from "./run-decision.ts";
import { type Driven, type DriveOptions, driveRun } from "./run-drive.ts";
import { createRunEvents } from "./run-events.ts";
import { finishRun, showFinished } from "./run-finish.ts";
import { type Fingerprint, fingerprint } from "./run-input.ts";
import { findPlaces, type RunPlaces } from "./run-places.ts";
import { createRunProgress } from "./run-progress.ts";
import { type RunRecord, readRunRecord } from "./run-record.ts";
import type { RunReport } from "./run-report.ts";
import {
  claimPlaces,
  makeRunsDirectory,
  openStore,
  placeOfRun,
  refuseClaimed,
  removeStore,
  runsDirectory,
  storeDirectory,
} from "./run-store.ts";
import { type Spool, spool } from "./spool.ts";
import { isTerminal } from "./terminal.ts";

const runOptions = [
  "output",
  "errors",
  ...engineOptions,
  "dedupe",
  "groupByPrefix",
  "limit",
  "deadline",
  "priority",
  "wait",
  "force",
  "json",
] as const satisfies OptionName[];

type RunConfig = Config<(typeof runOptions)[number]>;

/** `nerif run INPUT`: one file to the end. */
export function runCommand(command: Command): void {
  command.argument("<input>", "JSONL file of requests; - reads stdin");
  addOptions(command, runOptions, {
    output: "where the results go; - is stdout (default: INPUT with .output.jsonl)",
    errors: "where failed lines go; - is stdout (default: INPUT with .errors.jsonl)",
    limit: "run only the first so many lines",
    priority: "priority to note with the batch, as metadata.nerif_priority",
  });
  command.addHelpText("after", examples).action(async (input: string, flags: Record<string, unknown>) => {
    process.exitCode = await run(input, flags);
  });
}

const examples = `
Examples:
  nerif run requests.jsonl --upstream http://localhost:8000/v1
  nerif run requests.jsonl -o answers.jsonl --concurrency 256
  OPENAI_API_KEY=... nerif run requests.jsonl --limit 10 -o trial.jsonl --errors trial.errors.jsonl
  make-requests | nerif run - | jq -c .response.body

Killed or interrupted, the same command goes on where it was; no finished line is sent again.
Exit codes: 0 every line succeeded; 1 Nerif or the machine failed, or the input changed meanwhile, what was done is kept;
2 bad usage, bad input or no upstream, nothing was sent; 3 some lines failed; 4 cancelled or past the deadline; 5 the
upstream refuses the account; 130 interrupted.`;

async function run(input: string, flags: Record<string, unknown>): Promise<number> {
  let report: RunReport | null = null;
  try {
    const config = resolveConfig(runOptions, flags);
    const { output, errors, json } = config.values;
    const toStdout = output === "-" || errors === "-" || (input === "-" && output === undefined);
    report = json
      ? createRunEvents(toStdout ? process.stderr : process.stdout, () => performance.now())
      : await createRunProgress(() => performance.now());
    const places = await findPlaces({ input, output, errors, cwd: process.cwd() });
    return await runPlaces(places, { config, report });
  } catch (reason) {
    if (report === null) throw reason;
    const error = NerifError.fromUnknown(reason, "run the batch");
    report.failed(error, exitCodeOf(error));
    if (process.env.NERIF_DEBUG) process.stderr.write(`${(reason as Error).stack}\n`);
    return exitCodeOf(error);
  }
}

interface RunContext {
  config: RunConfig;
  report: RunReport;
}

async function runPlaces(places: RunPlaces, { config, report }: RunContext): Promise<number> {
  const { limit, force } = config.values;
  const dataDir = resolveDataDir(config.values.dataDir);
  await makeRunsDirectory(dataDir);
  const copy = await copyInput(places, { dataDir, limit });
  try {
    const store = storeDirectory(dataDir, places, copy?.sha256 ?? null);
    const record = force ? null : await readRunRecord(store);
    if (record?.finished) {
      decide(record, await wantedRun(places, { config, copy, record }));
      return await showFinished({ store, record, report });
    }
    // Before anything of an earlier run is given up; the claim itself comes when there is a record that it stands for.
    await refuseClaimed(dataDir, store, places);
    if (record === null && !force) await refuseForeign(places);
    return await runInStore(places, { config, report, dataDir, store, copy });
  } finally {
    await copy?.discard();
  }
}

/** Null when the input can be read in place. */
async function copyInput(
  { input }: RunPlaces,
  { dataDir, limit }: { dataDir: string; limit: number | undefined },
): Promise<Spool | null> {
  if (input !== null && limit === undefined) return null;
  const source = input === null ? process.stdin : createReadStream(input, { highWaterMark: 1024 * 1024 });
  return spool(source, { directory: runsDirectory(dataDir), limit });
}

interface StoreContext extends RunContext {
  dataDir: string;
  store: string;
  copy: Spool | null;
}

async function runInStore(places: RunPlaces, context: StoreContext): Promise<number> {
  const { config, report, dataDir, store, copy } = context;
  const fresh = !(await exists(store));
  let taken: NerifError | null = null;
  const opened = await openStore(
    {
      ...nerifOptions(config, "nerif run"),
      dataDir: store,
      placeOf: placeOfRun(store),
      onProblem(_, error) {
        if (error.code === "output_exists") taken = error;
      },
      log: errorLog((message) => report.note(message)),
    },
    places,
  );
  let keep = !fresh;
  try {
    opened.upstreams();
    const known = await readRunRecord(store).catch((reason: unknown) => {
      if (config.values.force) return null;
      throw reason;
    });
    const wanted = await wantedRun(places, { config, copy, record: known });
    const { deadline: deadlineMs, maxLineBytes, priority } = config.values;
    const record = await beginRun(opened, {
      store,
      record: known,
      wanted,
      spool: copy,
      deadlineMs,
      priority,
      maxLineBytes,
    });
    if (record === null) return await showFinished({ store, record: known as RunRecord, report });
    // Not before: what a claim is worth is told by the record of the run that made it.
    await claimPlaces(dataDir, store, places);
    keep = true;
    const resumed = known?.batch_id === record.batch_id;
    const driven = await drive(opened, { ...context, record, resumed, taken: () => taken });
    // Where nothing was sent and no results were written there is nothing to go on with: when a refused input is
    // mended it is another one, and a run to another output may have the errors file.
    const { status } = driven.batch;
    keep = status !== "failed" && (driven.sent || !fresh || isFinal(status));
    return await conclude(driven, { store, record, report });
  } finally {
    await opened.close();
    // The engine has given the lock away: whoever has taken the store up since goes on with it.
    const isOurs = !keep && (await opened.lock.acquire());
    const remove = () => removeStore(dataDir, store, places.errors);
    // Windows and NFS keep the directory of a file that is open, here the lock's.
    const isLeft =
      isOurs &&
      (await remove().then(
        () => false,
        () => true,
      ));
    await opened.lock.release();
    if (isLeft) await remove();
  }
}

async function wantedRun(
  places: RunPlaces,
  { config, copy, record }: { config: RunConfig; copy: Spool | null; record: RunRecord | null },
): Promise<WantedRun> {
  const { limit = null, strict, dedupe, groupByPrefix, force } = config.values;
  const known: Fingerprint | null =
    record?.input.path === places.input && record.limit === null ? record.input : null;
  const input =
    copy !== null || places.input === null
      ? { bytes: copy?.bytes ?? 0, modified: "", sha256: copy?.sha256 ?? "" }
      : await fingerprint(places.input, known);
  return { places, input, limit, strict, dedupe, groupByPrefix, force };
}

interface DriveContext {
  record: RunRecord;
  resumed: boolean;
  taken: DriveOptions["taken"];
}

async function drive(
  opened: Opened,
  { config, report, store, record, resumed, taken }: StoreContext & DriveContext,
): Promise<Driven & { tookMs: number }> {
  const { output, errors } = record;
  const upstreams = opened.upstreams().map(({ name }) => name);
  const input = record.input.path;
  report.started({ batch: record.batch_id, input, output, errors, store, upstreams, resumed });
  const startedAt = performance.now();
  const driven = await driveRun(opened, {
    store,
    record,
    report,
    taken,
    rules: { wait: config.values.wait, terminal: isTerminal() },
    grace: { interruptMs: 5_000, terminateMs: config.values.shutdownGrace },
  });
  return { ...driven, tookMs: performance.now() - startedAt };
}

async function conclude(
  { batch, stopped, sent, tookMs }: Driven & { tookMs: number },
  options: { store: string; record: RunRecord; report: RunReport },
): Promise<number> {
  const { report } = options;
  if (stopped instanceof NerifError) {
    const { completed, failed } = batch.request_counts;
    const isLate = stopped.code === "input_changed" || stopped.code === "output_exists";
    if (!isLate || (!sent && completed + failed === 0)) throw stopped;
    // Its own exit code would say that nothing was sent.
    report.failed(stopped, exitCodes.internal);
    return exitCodes.internal;
  }
  if (stopped !== null) {
    report.stopped({ reason: stopped, counts: batch.request_counts, exitCode: exitCodes.interrupted });
    return exitCodes.interrupted;
  }
  if (batch.status !== "failed") return finishRun(batch, tookMs, options);
  const errors = batch.errors ?? [];
  report.invalid(errors);
  throw new NerifError(
    errors.length === 1 && errors[0]?.code === "empty_file" ? "empty_file" : "invalid_file_format",
    `Cannot run ${options.record.input.path ?? "stdin"}: its requests are not valid; nothing was sent`,
    { param: "input" },
  );
}
