import type { HttpSenderOptions } from "./http.ts";
import type { WebhookSender } from "./sender.ts";

/**
 * A sender over HTTP, which is loaded when something is to be sent, as it never is in most processes.
 *
 * @throws NerifError `invalid_configuration` at once for an entry of `allow`
 */
export async function createSenderOnDemand(options: HttpSenderOptions): Promise<WebhookSender> {
  let loading: Promise<WebhookSender> | undefined;
  function load(): Promise<WebhookSender> {
    loading ??= import("./http.ts").then(({ createHttpSender }) => createHttpSender(options));
    return loading;
  }
  if (options.allow !== undefined && options.allow.length > 0) await load();
  return {
    refusal: async (url) => (await load()).refusal(url),
    send: async (message, signal) => (await load()).send(message, signal),
  };
}
