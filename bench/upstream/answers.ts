/** What the model server of all measurements answers: always the same, by endpoint. */
export const answers = {
  chat: chat(),
  embedding: embedding(),
};

/** 664 bytes. */
function chat(): string {
  const content =
    "A batch is a file of requests, and its answers come back in the order of the questions. ".repeat(6);
  return JSON.stringify({
    id: "chatcmpl-0000000000000000",
    object: "chat.completion",
    created: 1700000000,
    model: "bench",
    choices: [
      { index: 0, message: { role: "assistant", content: content.slice(0, 404) }, finish_reason: "stop" },
    ],
    usage: { prompt_tokens: 83, completion_tokens: 87, total_tokens: 170 },
  });
}

/** About 33 KB: 1,536 numbers, each on a line of its own, as OpenAI prints them. */
function embedding(): string {
  const numbers = Array.from({ length: 1_536 }, (_, index) => Number((Math.sin(index + 1) / 40).toFixed(9)));
  const data = [{ object: "embedding", index: 0, embedding: numbers }];
  const usage = { prompt_tokens: 8, total_tokens: 8 };
  return `${JSON.stringify({ object: "list", data, model: "bench", usage }, null, 2)}\n`;
}
