/** What stands before the idempotency key of a test call, where a line's has the id of its batch. */
export const testCallPrefix = "nerif-test";

const say = "Say OK.";
/** Few servers refuse so many, and none takes long for them. */
const tokens = 16;

/** The rest of the smallest request of each endpoint. */
const requests: Readonly<Record<string, object>> = {
  "/v1/chat/completions": { messages: [{ role: "user", content: say }], max_tokens: tokens },
  "/v1/completions": { prompt: say, max_tokens: tokens },
  "/v1/responses": { input: say, max_output_tokens: tokens, store: false },
  "/v1/embeddings": { input: say },
  "/v1/moderations": { input: say },
};

/** A request of our own that a healthy upstream answers, whatever is wrong with the lines that it fails. */
export function testCallBody({ endpoint, model }: { endpoint: string; model: string | null }): Uint8Array {
  const request = { ...(model !== null && { model }), ...requests[endpoint] };
  return Buffer.from(JSON.stringify(request));
}
