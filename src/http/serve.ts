import { claimExecution, startExecution, stopExecution } from "../service/execution.ts";
import { createHealthService } from "../service/health.ts";
import type { Instance } from "../service/instance.ts";
import { createMetricsService } from "../service/metrics.ts";
import { createModelService, type ModelService } from "../service/models.ts";
import { createApp } from "./app.ts";
import { checkOrigins } from "./cross-origin.ts";
import type { App, HttpLog } from "./environment.ts";
import { type ListenOptions, listen } from "./node.ts";

export interface HandlerOptions {
  /** Told what went wrong inside. Default: nobody. */
  log?: HttpLog | undefined;
  /**
   * Accepts requests for other hosts than loopback although there are no API keys and nothing asks for one. Default
   * false.
   */
  insecure?: boolean | undefined;
  /** Origins whose web pages may use the API, exactly as a browser sends them: `https://app.example.com`. Default none. */
  corsOrigins?: readonly string[] | undefined;
}

export interface ServeOptions extends HandlerOptions, Omit<ListenOptions, "handler" | "isGuarded"> {}

export interface RunningServer {
  /** `http://127.0.0.1:8787` */
  url: string;
  host: string;
  port: number;
  /**
   * Accepts nothing new, gives running requests and calls in flight `graceMs` milliseconds (default 0), and
   * closes the instance. Batches stay resumable.
   */
  close(options?: { graceMs?: number }): Promise<void>;
}

/** The HTTP API of an instance as a function from request to response. */
export function handlerOf(
  instance: Instance,
  options: HandlerOptions = {},
): (request: Request) => Promise<Response> {
  return build(instance, { ...options, models: createModelService(instance) });
}

/**
 * Serves an instance over HTTP and executes its batches. Closes the instance when it cannot start.
 *
 * @throws NerifError `executor_running`, `upstream_not_configured`, `upstream_is_self`, and
 *   `invalid_configuration` for an address that cannot be used
 */
export async function serveInstance(instance: Instance, options: ServeOptions = {}): Promise<RunningServer> {
  const { started, ...server } = await listenFor(instance, options);
  await started;
  return server;
}

/** A server that listens and answers, and is about to find out whether it can go on. */
export interface StartingServer extends RunningServer {
  /** Resolves when it executes; rejects, and all is closed, when it cannot, or is its own upstream. */
  started: Promise<void>;
}

/**
 * As `serveInstance`, for those who want to know that it listens before slow upstreams have told their models.
 *
 * @throws NerifError `executor_running`, and `invalid_configuration` for an address that cannot be used
 */
export async function listenFor(instance: Instance, options: ServeOptions = {}): Promise<StartingServer> {
  const stopping = new AbortController();
  const models = createModelService(instance);
  const undo: (() => Promise<void>)[] = [() => instance.close()];
  try {
    await claimExecution(instance);
    undo.push(() => stopExecution(instance, { graceMs: 0 }));
    // Asked for before it listens: whatever becomes of the keys, a server that others reach stays closed then.
    const isGuarded = await instance.service.keys.required();
    const handler = build(instance, { ...options, models, draining: stopping.signal });
    const { close: stopListening, ...address } = await listen({ ...options, isGuarded, handler });
    const close = onceFor(async ({ graceMs = 0 } = {}) => {
      stopping.abort();
      await Promise.all([stopListening({ graceMs }), stopExecution(instance, { graceMs })]);
      await instance.close();
    });
    // Side by side: an upstream that is slow to tell its models holds nothing up.
    const started = Promise.all([models.refuseSelf(), startExecution(instance)]).then(
      () => {},
      async (reason: unknown) => {
        await close();
        throw reason;
      },
    );
    // Whoever waits for it is told, and nobody has to: what could not start is closed.
    started.catch(() => {});
    return { ...address, started, close };
  } catch (reason) {
    for (const step of undo.reverse()) await step();
    throw reason;
  }
}

/** The first call decides how. */
function onceFor(close: RunningServer["close"]): RunningServer["close"] {
  let closing: Promise<void> | undefined;
  return (options) => {
    closing ??= close(options);
    return closing;
  };
}

function build(instance: Instance, options: BuildOptions): (request: Request) => Promise<Response> {
  const app = appOf(instance, options);
  return async (request) => app.fetch(request);
}

interface BuildOptions extends HandlerOptions {
  models: ModelService;
  draining?: AbortSignal;
}

/** The HTTP API of an instance. */
export function appOf(instance: Instance, options: BuildOptions): App {
  const { log = { error() {} }, insecure = false, corsOrigins = [], models, draining } = options;
  const { control, fileStore: files, journal, engine } = instance;
  const health = createHealthService({ control, files, journal, engine });
  const metrics = createMetricsService({ control, journal, engine });
  const origins = checkOrigins(corsOrigins);
  return createApp(
    { ...instance.service, models, health, metrics },
    { log, anyHost: insecure, origins, ...(draining === undefined ? {} : { draining }) },
  );
}
