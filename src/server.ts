import { type NerifOptions, openNerif } from "./compose.ts";
import { checkOrigins } from "./http/cross-origin.ts";
import {
  type HandlerOptions,
  handlerOf,
  type RunningServer,
  type ServeOptions,
  serveInstance,
} from "./http/serve.ts";
import type { Nerif } from "./library/nerif.ts";
import { openerOf } from "./library/opener.ts";

export type { HandlerOptions, Nerif, NerifOptions, RunningServer, ServeOptions };

/**
 * The HTTP API of an instance as a function from `Request` to `Response`, for a server of your own. Once the data
 * directory has API keys, every call needs one. Before, requests for other hosts than loopback are refused unless
 * `insecure` is set.
 *
 * @throws NerifError `invalid_usage` when `createNerif` did not make the instance, `invalid_configuration` for
 *   `corsOrigins` that are no origins
 */
export function createHandler(
  nerif: Nerif,
  options: HandlerOptions = {},
): (request: Request) => Promise<Response> {
  const open = openerOf(nerif);
  checkOrigins(options.corsOrigins ?? []);
  let handler: ((request: Request) => Promise<Response>) | undefined;
  return async (request) => {
    const instance = await open();
    handler ??= handlerOf(instance, options);
    return handler(request);
  };
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
