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
  const stopping = new AbortController();
  const models = createModelService(instance);
  const undo: (() => Promise<void>)[] = [() => instance.close()];
  try {
    await claimExecution(instance);
    undo.push(() => stopExecution(instance, { graceMs: 0 }));
    // Asked for before it listens: whatever becomes of the keys, a server that others reach stays closed then.
    const isGuarded = await instance.service.keys.required();
    const handler = build(instance, { ...options, models, draining: stopping.signal });
    const { close, ...address } = await listen({ ...options, isGuarded, handler });
    undo.push(close);
    // Side by side: an upstream that is slow to tell its models holds nothing up.
    await Promise.all([models.refuseSelf(), startExecution(instance)]);
    return {
      ...address,
      async close({ graceMs = 0 } = {}) {
        stopping.abort();
        await Promise.all([close({ graceMs }), stopExecution(instance, { graceMs })]);
        await instance.close();
      },
    };
  } catch (reason) {
    for (const step of undo.reverse()) await step();
    throw reason;
  }
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
