import type { HttpSenderOptions } from "./http.ts";
import type { WebhookSender } from "./sender.ts";

/** Loads what sends when something is to be sent, which most processes never do. */
export function createSenderOnDemand(options: HttpSenderOptions): WebhookSender {
  let loading: Promise<WebhookSender> | undefined;
  function load(): Promise<WebhookSender> {
    loading ??= import("./http.ts").then(({ createHttpSender }) => createHttpSender(options));
    return loading;
  }
  return {
    refusal: async (url) => (await load()).refusal(url),
    send: async (message, signal) => (await load()).send(message, signal),
  };
}
