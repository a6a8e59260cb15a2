import { createRandom } from "../../src/upstreams/simulator/random.ts";
import { createScriptedServer, type Rule } from "../../src/upstreams/simulator/script.ts";
import type { Answer, Failure, FailureReason } from "../../src/upstreams/upstream.ts";
import type { SeenCall } from "./scenario.ts";
import type { World } from "./world.ts";

/** One line of a scenario. */
export interface SimulatedLine {
  index: number;
  model: string;
  text: string;
  /** What the upstream will report. */
  tokens: { input: number; output: number };
}

/** One call, as the upstream saw it; which upstream that is, whoever collects them adds. */
type SimulatedCall = Omit<SeenCall, "upstream">;

export interface SimulatedUpstream {
  readonly calls: SimulatedCall[];
  send(line: SimulatedLine, done: (answer: Answer) => void): void;
}

/** Milliseconds on the way to the upstream and back, that is, of a call that is refused at once. */
const networkMs = 2;

export function createSimulatedUpstream(
  rules: readonly Rule[],
  { world, seed }: { world: World; seed: number },
): SimulatedUpstream {
  const server = createScriptedServer(rules, createRandom(seed));
  const calls: SimulatedCall[] = [];
  for (const change of server.changes) world.at(change, () => server.look(world.now()));

  function send(line: SimulatedLine, done: (answer: Answer) => void): void {
    const { model, text } = line;
    const call: SimulatedCall = {
      ...{ model, text, arrivedAt: world.now(), answeredAt: Number.NaN, workedMs: 0, ok: false },
      tokens: line.tokens.input + line.tokens.output,
    };
    calls.push(call);
    const end = (ms: number, answer: () => Answer, leave?: () => void) =>
      world.at(world.now() + ms, () => {
        leave?.();
        // Who waits at the server comes before the client's next call.
        if (leave !== undefined) server.look(world.now());
        const made = answer();
        call.answeredAt = world.now();
        call.ok = made.ok;
        done(made);
      });
    let leave = () => {};
    const verdict = server.arrive({ now: world.now(), model, text }, (ms) => {
      call.workedMs = ms;
      end(
        ms + networkMs,
        () => succeeded(line),
        () => leave(),
      );
    });
    if (verdict.type === "work") leave = verdict.leave;
    else if (verdict.type === "reset") end(networkMs, () => failed("reset", null, null));
    else if (verdict.type === "fail") {
      const { failure, retryAfterMs, latencyMs } = verdict;
      end(latencyMs + networkMs, () =>
        failed(reasonOf(failure.status, failure.code), failure.status, retryAfterMs),
      );
    }
  }

  return { calls, send };
}

const nothing = Buffer.from("{}");

function succeeded({ tokens: { input, output } }: SimulatedLine): Answer {
  const tokens = { input, cached: 0, output, reasoning: 0, total: input + output };
  return { ok: true, status: 200, requestId: null, body: nothing, tokens };
}

function failed(reason: FailureReason, status: number | null, retryAfterMs: number | null): Failure {
  const error = { code: reason, message: reason, type: "upstream_error" };
  return { ok: false, reason, status, requestId: null, body: null, error, retryAfterMs };
}

/** In short, what `upstreams/outcome.ts` makes of a status and a code. */
function reasonOf(status: number, code: string | null): FailureReason {
  if (code === "insufficient_quota" || status === 401 || status === 402 || status === 403) return "account";
  if (status === 429) return "throttled";
  return status >= 500 || status === 408 || status === 409 ? "unavailable" : "rejected";
}
