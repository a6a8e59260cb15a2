import { NerifError } from "../../src/batch/errors.ts";
import type { Answer, FailureReason, Upstream, UpstreamCall } from "../../src/upstreams/upstream.ts";
import { fixedBounds } from "./bounds.ts";

export interface ScriptedUpstream extends Upstream {
  /** Every call that was sent, in order. */
  readonly calls: UpstreamCall[];
}

/** An upstream in this process whose answers the test decides, call by call. */
export function createScriptedUpstream(
  answer: (call: UpstreamCall, nth: number) => Answer | Promise<Answer>,
  {
    concurrency = 8,
    serves = () => true,
  }: { concurrency?: number; serves?: (model: string | null) => boolean } = {},
): ScriptedUpstream {
  const calls: UpstreamCall[] = [];
  return {
    name: "scripted",
    bounds: fixedBounds(concurrency),
    serves,
    calls,
    send(call) {
      calls.push(call);
      const aborted = new Promise<Answer>((resolve) => {
        call.signal.addEventListener("abort", () => resolve(fails("aborted")), { once: true });
      });
      void Promise.race([answer(call, calls.length - 1), aborted]).then(call.onAnswer);
    },
    models: () => Promise.reject(new NerifError("upstream_unreachable", "Cannot list the models: scripted")),
    close: () => Promise.resolve(),
  };
}

/** A success that carries the body of its call, so that a test can tell which answer belongs to which line. */
export function echo(call: UpstreamCall): Answer {
  const usage = {
    prompt_tokens: 2,
    prompt_tokens_details: { cached_tokens: 1 },
    completion_tokens: 3,
    completion_tokens_details: { reasoning_tokens: 1 },
    total_tokens: 5,
  };
  const request = Buffer.from(call.body).toString();
  const body = Buffer.from(`{"choices":[],"echo":${request},"usage":${JSON.stringify(usage)}}`);
  const tokens = { input: 2, cached: 1, output: 3, reasoning: 1, total: 5 };
  return { ok: true, status: 200, requestId: null, body, tokens };
}

const statuses: Partial<Record<FailureReason, number>> = {
  rejected: 400,
  account: 401,
  throttled: 429,
  unavailable: 500,
};

export function fails(reason: FailureReason, retryAfterMs: number | null = null): Answer {
  const status = statuses[reason] ?? null;
  const error = { code: `scripted_${reason}`, message: `It was ${reason}`, type: "upstream_error" };
  const body = status === null ? null : Buffer.from(JSON.stringify({ error }));
  return { ok: false, reason, status, requestId: null, body, error, retryAfterMs };
}
