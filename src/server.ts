import { type NerifOptions, openNerif } from "./compose.ts";
import {
  type HandlerOptions,
  handlerOf,
  type RunningServer,
  type ServeOptions,
  serveInstance,
} from "./http/serve.ts";
import type { Instance } from "./service/instance.ts";

export type { HandlerOptions, Instance, NerifOptions, RunningServer, ServeOptions };

/**
 * The HTTP API as a function from `Request` to `Response`, for a server of your own. It executes nothing by
 * itself: batches run in whatever process executes for the data directory.
 */
export function createHandler(
  nerif: Instance,
  options: HandlerOptions = {},
): (request: Request) => Promise<Response> {
  return handlerOf(nerif, options);
}

/**
 * Opens a data directory, serves the HTTP API and executes its batches.
 *
 * @throws NerifError `executor_running` when another process executes them, `upstream_not_configured`,
 *   `upstream_is_self`, `invalid_configuration` for an address that cannot be used or that others can reach
 */
export async function serve(options: NerifOptions & ServeOptions = {}): Promise<RunningServer> {
  // Users set OPENAI_BASE_URL to reach this server.
  const nerif = await openNerif({ command: "nerif serve", ...options, ignoreOpenAIBaseUrl: true });
  return serveInstance(nerif, options);
}
