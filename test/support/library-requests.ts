import type { BatchRequest } from "../../src/library/types.ts";

/** A chat request about each prompt; ids are `line-0`, `line-1`, ... */
export function chats(prompts: readonly string[]): BatchRequest[] {
  return prompts.map((content, index) => ({
    custom_id: `line-${index}`,
    method: "POST",
    url: "/v1/chat/completions",
    body: { model: "m", messages: [{ role: "user", content }] },
  }));
}
