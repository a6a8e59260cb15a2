import { Hono } from "hono";
import { createHealthService } from "../service/health.ts";
import type { Instance } from "../service/instance.ts";
import { createMetricsService } from "../service/metrics.ts";
import { admit } from "./authenticate.ts";
import type { HttpLog, RequestEnvironment } from "./environment.ts";
import { failures, frame, unknownRoute } from "./frame.ts";
import { healthRoutes } from "./health.ts";
import { metricsRoutes } from "./metrics.ts";
import { type ListenOptions, listen } from "./node.ts";

export interface ObserveOptions extends Pick<ListenOptions, "host" | "insecure"> {
  /** 0 takes a free one. */
  port: number;
  log: HttpLog;
}

export interface Observer {
  /** `http://127.0.0.1:9464` */
  url: string;
  /** From now on `/readyz` says that the process stops; it goes on listening. */
  drain(): void;
  close(): Promise<void>;
}

/** A probe's answer is short: what takes longer is given up when the process ends. In milliseconds. */
const closeGraceMs = 1_000;

/**
 * Serves `/healthz`, `/readyz` and `/metrics` of a process that serves nothing else, to those to whom a server shows
 * them.
 *
 * @throws NerifError `invalid_configuration` for an address that cannot be used, or that others can reach although
 *   there is no key
 */
export async function observe(instance: Instance, options: ObserveOptions): Promise<Observer> {
  const { host, port, insecure = false, log } = options;
  const { control, fileStore: files, journal, engine } = instance;
  const { keys } = instance.service;
  const stopping = new AbortController();
  const draining = stopping.signal;
  const health = createHealthService({ control, files, journal, engine });
  const metrics = createMetricsService({ control, journal, engine });

  const app = new Hono<RequestEnvironment>();
  app.use(frame(draining));
  app.use(admit({ keys, anyHost: insecure, isAllowedOrigin: () => false, isOpen: () => false }));
  app.route("/", healthRoutes({ health, keys, draining }));
  app.route("/", metricsRoutes({ metrics }));
  app.notFound(unknownRoute);
  app.onError(failures(log));

  const isGuarded = await keys.required();
  const handler = async (request: Request) => app.fetch(request);
  const listening = await listen({ host, port, insecure, isGuarded, handler });
  return {
    url: listening.url,
    drain: () => stopping.abort(),
    close: () => listening.close({ graceMs: closeGraceMs }),
  };
}
