import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { NerifError } from "./batch/errors.ts";
import { limits } from "./batch/limits.ts";
import type { ExecutorLock } from "./control/control-store.ts";
import { createSystemClock } from "./engine/clock.ts";
import { type Logger, type PlaceOf, silentLogger } from "./engine/deps.ts";
import { autoConcurrency } from "./engine/dispatch/pace.ts";
import { createEngine } from "./engine/executor.ts";
import { completeSettings, type EngineSettings, type GivenSettings } from "./engine/settings.ts";
import type { FileStore } from "./files/file-store.ts";
import { openStorage, type SharedStorageOptions } from "./open-storage.ts";
import { createBatchService } from "./service/batches.ts";
import { createFileService } from "./service/files.ts";
import type { Instance } from "./service/instance.ts";
import { createKeyService } from "./service/keys.ts";
import { createByteBudgets } from "./service/quotas.ts";
import { createUploadService } from "./service/uploads.ts";
import { createWebhookService } from "./service/webhooks.ts";
import { createHttpUpstream } from "./upstreams/http.ts";
import type { ConcurrencyOption, UpstreamOptions } from "./upstreams/options.ts";
import { resolveUpstreams } from "./upstreams/resolve.ts";
import { createRouter } from "./upstreams/route.ts";
import type { Upstream } from "./upstreams/upstream.ts";
import { createHttpSender } from "./webhooks/http.ts";

export { copySqliteDatabase, type NamedFile } from "./control/sqlite-copy.ts";
export { prepareDirectory } from "./disk/directory.ts";
export { copyTree, linkTree, syncFile } from "./files/tree.ts";
export type { Logger, PlaceOf, UpstreamOptions };

/** What a user may set. Durations are in milliseconds. */
export interface NerifOptions extends SharedStorageOptions {
  /** Where everything is kept. Default `NERIF_DATA_DIR`, else `~/.nerif/batches`. */
  dataDir?: string | undefined;
  /** Base URL of the model server (`http://localhost:8000/v1`). What stands in for it is told in `upstreams/resolve.ts`. */
  upstream?: string | undefined;
  /** Name of the environment variable that holds the upstream's key. */
  upstreamApiKeyEnv?: string | undefined;
  /** Several model servers, each for some models. */
  upstreams?: readonly UpstreamOptions[] | undefined;
  /** True where users set `OPENAI_BASE_URL` to reach Nerif itself. Default false. */
  ignoreOpenAIBaseUrl?: boolean | undefined;
  /**
   * Calls in flight at once, per upstream and process: a fixed number, a range within which it is learned, or `auto`.
   * Default `auto`, 1 to 1,000.
   */
  concurrency?: ConcurrencyOption | undefined;
  /** Longest wait for one answer. Default 10 minutes. */
  requestTimeoutMs?: number | undefined;
  /**
   * Receivers of webhooks that are admitted although they are not public, and over plain HTTP: host names,
   * addresses, ranges such as `10.1.0.0/16`. Default: none.
   */
  webhookAllow?: readonly string[] | undefined;
  /** Whether the process stays alive until the batches that it executes are final. Default true. */
  keepAlive?: boolean | undefined;
  /** False: this process never executes; batches wait for one that does. Default true. */
  execute?: boolean | undefined;
  /** What is left out or undefined has its default. */
  settings?: GivenSettings | undefined;
  /**
   * Largest file that `POST /v1/files` takes, in bytes. Default: none, 512 MiB where `settings.strict` is set.
   * Uploads in parts may always have 8 GiB.
   */
  maxFileBytes?: number | undefined;
  /** Where the result files of a batch go instead of the data directory, as absolute paths; null for there. */
  placeOf?: PlaceOf | undefined;
  /** Told when a batch that this process executes stumbled; it is tried again by itself. */
  onProblem?: ((batchId: string, error: NerifError) => void) | undefined;
  /** How this process names itself to others that find the data directory taken. Default: the running script. */
  command?: string | undefined;
  /** Called when storage failed in a way after which going on could lose data. Default: says so and exits with 70. */
  onFatal?: ((error: NerifError) => void) | undefined;
  /** Default: no log. */
  log?: Logger | undefined;
}

/** Everything built and connected, for one data directory or one database. */
export interface Opened extends Instance {
  settings: EngineSettings;
}

/**
 * The one place that turns options into adapters. Opening neither executes nor sends anything.
 *
 * @throws NerifError `storage_unavailable`, `data_too_new`, `data_damaged`, `disk_full`, `invalid_configuration`
 */
export async function openNerif(options: NerifOptions = {}): Promise<Opened> {
  const onFatal = options.onFatal ?? exitAtOnce;
  const log = options.log ?? silentLogger;
  const settings = completeSettings(options.settings);
  const clock = createSystemClock({ keepAlive: options.keepAlive ?? true });

  const sender = createHttpSender({ allow: options.webhookAllow });
  const storage = await openStorage({
    ...options,
    dataDir: resolveDataDir(options.dataDir),
    onFatal,
    onProblem: (error) => log.warn({ err: error }, error.message),
  });
  const { control, files, journal, place: dataDir } = storage;
  const lock = options.execute === false ? neverAcquired(storage.lock) : storage.lock;
  const upstreams = onceOnDemand(() => connect(options));
  const router = onceOnDemand(() => createRouter(upstreams.get()));
  // `nerif run` tells nobody: its private store has no endpoints.
  const place = options.placeOf === undefined ? { sender } : { placeOf: options.placeOf };
  const maxFileBytes = options.maxFileBytes ?? (settings.strict ? limits.strict.uploadBytes : undefined);
  const engine = createEngine({
    control,
    files,
    journal,
    lock,
    clock,
    settings,
    log,
    giveUpFiles: storage.giveUpFiles,
    ...place,
    ...(options.onProblem && { onProblem: options.onProblem }),
    pickUpstreams,
    knowsModel: (model) => !canExecute() || router.get().pick(model).length > 0,
  });
  const budgets = createByteBudgets(control);
  // What clients send waits for one another; the engine goes on however many there are.
  const waiting: FileStore = { ...files, create: (key) => files.create(key, { waits: true }) };
  const service = {
    files: createFileService({ control, files: waiting, clock, budgets, maxFileBytes }),
    uploads: createUploadService({ control, files: waiting, clock, budgets }),
    batches: createBatchService({
      control,
      files: waiting,
      budgets,
      journal,
      engine,
      clock,
      settings,
      canExecute,
      // Nothing keeps others away there: it would take the lines of all batches, and could send none of them.
      canSettle: () => lock.shared !== true || canExecute(),
    }),
    webhooks: createWebhookService({ control, sender, clock }),
    keys: createKeyService({ control, clock }),
  };

  let closing: Promise<void> | undefined;
  return {
    service,
    engine,
    control,
    fileStore: files,
    journal,
    lock,
    settings,
    dataDir,
    upstreams: upstreams.get,
    close(closeOptions = {}) {
      closing ??= closeAll(closeOptions.graceMs ?? 0);
      return closing;
    },
  };

  /** A process without a usable upstream must not keep away one that has some. */
  function canExecute(): boolean {
    try {
      router.get();
      return true;
    } catch {
      return false;
    }
  }

  /** Lines without an upstream wait, with a reason; a mistake in the configuration must not burn them. */
  function pickUpstreams(model: string | null): readonly Upstream[] {
    try {
      return router.get().pick(model);
    } catch (reason) {
      log.error({ err: reason }, "Cannot connect to an upstream");
      return [];
    }
  }

  async function closeAll(graceMs: number): Promise<void> {
    await engine.stop(graceMs);
    await Promise.all((upstreams.peek() ?? []).map((upstream) => upstream.close()));
    await storage.close();
  }
}

/**
 * The data directory that options and environment name, as an absolute path.
 *
 * @throws NerifError `invalid_configuration` for what is no path; an empty one would be the working directory
 */
export function resolveDataDir(given: string | undefined): string {
  if (given !== undefined && (typeof given !== "string" || given.trim() === "")) {
    const reason = "it must be a path, and not an empty one";
    throw new NerifError("invalid_configuration", `Cannot use the data directory: ${reason}`, {
      param: "dataDir",
    });
  }
  const fromEnvironment = process.env.NERIF_DATA_DIR?.trim();
  const path = given ?? (fromEnvironment || join("~", ".nerif", "batches"));
  return resolve(path === "~" || path.startsWith("~/") ? join(homedir(), path.slice(1)) : path);
}

function connect(options: NerifOptions): Upstream[] {
  const keepAlive = options.keepAlive ?? true;
  const requestTimeoutMs = options.requestTimeoutMs ?? 600_000;
  if (!(requestTimeoutMs > 0)) {
    const reason = `it is ${requestTimeoutMs} and must be more than 0`;
    throw new NerifError("invalid_configuration", `Cannot use requestTimeoutMs: ${reason}`, {
      param: "requestTimeoutMs",
    });
  }
  return resolveUpstreams(options, process.env).map(({ concurrency, ...upstream }) =>
    createHttpUpstream({
      ...upstream,
      concurrency: concurrency === "auto" ? autoConcurrency : concurrency,
      requestTimeoutMs: upstream.requestTimeoutMs ?? requestTimeoutMs,
      keepAlive,
    }),
  );
}

/** Builds once, at the first call; an attempt that threw is made again at the next call. */
function onceOnDemand<T>(build: () => T): { get(): T; peek(): T | undefined } {
  let value: T | undefined;
  return {
    get() {
      value ??= build();
      return value;
    },
    peek: () => value,
  };
}

function neverAcquired(lock: ExecutorLock): ExecutorLock {
  return { acquire: async () => false, holder: () => lock.holder(), release: () => lock.release() };
}

function exitAtOnce(error: NerifError): void {
  // Nothing may run after this: what was written since the failure is unknown, and the next start finds out.
  process.stderr.write(`nerif: ${error.message}\n`);
  process.exit(70);
}
