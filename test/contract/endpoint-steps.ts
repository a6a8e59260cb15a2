import type { EndpointObject, Params, Sdk } from "./sdk/sdk.ts";

export const batchEvents = ["batch.completed", "batch.failed", "batch.expired", "batch.cancelled"];

/** What an endpoint is created from. */
export const endpointParams = {
  name: "contract",
  url: "https://hooks.example.net/oai",
  event_types: batchEvents,
};

/** There may be few in a project, and each batch that ends is told to all. */
export async function withEndpoint(
  sdk: Sdk,
  use: (endpoint: EndpointObject) => Promise<void>,
  with_: Params = {},
): Promise<void> {
  const endpoint = await sdk.webhooks.create({ ...endpointParams, ...with_ });
  try {
    await use(endpoint);
  } finally {
    await sdk.webhooks.delete(endpoint.id);
  }
}
