import type { Answer, Upstream, UpstreamCall } from "../../src/upstreams/upstream.ts";

export type AskedCall = Omit<UpstreamCall, "onAnswer">;

/** Sends one call and waits for what becomes of it. */
export function ask(upstream: Upstream, call: AskedCall): Promise<Answer> {
  return new Promise((onAnswer) => upstream.send({ ...call, onAnswer }));
}
