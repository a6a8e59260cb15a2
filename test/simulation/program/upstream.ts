import { createHash } from "node:crypto";
import { NerifError } from "../../../src/batch/errors.ts";
import { answerOf, unanswered } from "../../../src/upstreams/outcome.ts";
import type { Answer, Upstream, UpstreamCall } from "../../../src/upstreams/upstream.ts";
import { fixedBounds } from "../../support/bounds.ts";
import { dieNow, happens, isLastCall } from "../world/calls.ts";
import { type Life, theWorld, type World } from "../world/world.ts";
import { fateOf, slowAnswerMs } from "./input.ts";

/** What the model server remembers of one call; it outlives the program. */
export interface Send {
  nr: number;
  batchId: string;
  line: number;
  key: string;
  endpoint: string;
  body: string;
  life: Life | null;
  at: number;
  answeredAt: number | null;
  answer: Answer | null;
  /** Which answer it was, over all calls. */
  answerNr: number;
}

export interface SimulatedUpstream extends Upstream {
  readonly sends: Send[];
}

type Reply =
  | { status: number; headers?: Record<string, string>; body: string }
  | "refused"
  | "reset"
  | "timeout";

/**
 * So long after all trouble lines go on that fail by themselves. Not for ever: where no line of a route can succeed
 * any more it looks like an outage, in which batches wait.
 */
const healingMs = 60_000;

/** A model server that answers as the seed and the line say. What its answers mean is judged by the program's own code. */
export function createSimulatedUpstream(): SimulatedUpstream {
  const sends: Send[] = [];
  let answers = 0;

  function send(call: UpstreamCall): void {
    const world = theWorld();
    const { life, trace } = world;
    if (life?.dead) return;
    const entry = remember(call, life, world);
    trace.note(`send ${entry.batchId.slice(-6)}:${entry.line}`);
    if (isLastCall(life)) {
      dieNow();
      return;
    }
    const reply = draw(entry, world);
    const ms = delayOf(reply, entry, world);
    const cancel = world.later(life, ms, () => answer(read(reply, entry)));
    // Node keeps a signal that is made of others, and all behind it, as long as somebody listens.
    const release = () => call.signal.removeEventListener("abort", breakOff);
    call.signal.addEventListener("abort", breakOff);
    life?.releases.add(release);
    if (call.signal.aborted) breakOff();

    function breakOff(): void {
      answer(aborted);
    }

    function answer(value: Answer): void {
      cancel();
      release();
      life?.releases.delete(release);
      if (entry.answer !== null || life?.dead) return;
      entry.answer = value;
      entry.answeredAt = world.now;
      entry.answerNr = answers++;
      trace.note(`answer ${entry.nr} ${value.ok ? value.status : value.reason}`);
      queueMicrotask(() => call.onAnswer(value));
    }
  }

  function remember(call: UpstreamCall, life: Life | null, { now }: World): Send {
    const [batchId = "", line = ""] = call.idempotencyKey.split(":");
    const entry: Send = {
      ...{ nr: sends.length, batchId, line: Number(line), key: call.idempotencyKey, endpoint: call.endpoint },
      ...{
        body: Buffer.from(call.body).toString(),
        life,
        at: now,
        answeredAt: null,
        answer: null,
        answerNr: -1,
      },
    };
    sends.push(entry);
    return entry;
  }

  return {
    name: "simulated",
    serves: () => true,
    bounds: fixedBounds(theWorld().weather.concurrency),
    sends,
    send,
    models: () => Promise.reject(new NerifError("upstream_unreachable", "Cannot list the models")),
    close: () => Promise.resolve(),
  };
}

const aborted = unanswered("aborted", { code: "aborted", message: "It was broken off" });

function delayOf(reply: Reply, { body }: Send, world: World): number {
  if (reply === "refused") return 1;
  if (reply === "timeout") return 5_000;
  const ms = world.random.next() * world.random.next() * slowest(world);
  return fateOf(body) === "slow" ? slowAnswerMs : ms;
}

function slowest({ weather, now }: World): number {
  return now < weather.quietAt ? weather.slowestAnswer : Math.min(weather.slowestAnswer, 200);
}

function draw(entry: Send, { weather, now, random }: World): Reply {
  const outage = weather.outages.find(({ from, until }) => now >= from && now < until);
  if (outage !== undefined && random.chance(0.95)) return outageReply(outage.kind);
  const { flaky } = weather;
  if (happens(flaky.throttled)) return throttled(random.pick(["0", "1", "7", null]));
  if (happens(flaky.unavailable)) return failed(random.pick([408, 409, 500, 502, 503]));
  if (happens(flaky.reset)) return "reset";
  if (happens(flaky.timeout)) return "timeout";
  if (happens(flaky.malformed))
    return { status: random.pick([200, 500]), body: random.pick(["", "<html>", '{"a":']) };
  const fate = now < weather.quietAt + healingMs ? fateOf(entry.body) : "answer";
  switch (fate) {
    case "refuse":
      return { status: 400, body: error(`refused-${entry.nr}`) };
    case "disguise":
      return { status: 200, body: error(`refused-${entry.nr}`) };
    case "break":
      return failed(500);
    case "cut":
      return "reset";
    case "hang":
      return "timeout";
    case "slow":
    case "answer":
      return { status: 200, headers: { "x-request-id": `req-${entry.nr}` }, body: success(entry) };
  }
}

function outageReply(kind: World["weather"]["outages"][number]["kind"]): Reply {
  if (kind === "refused" || kind === "reset") return kind;
  if (kind === "throttled") return throttled("5");
  return kind === "account" ? { status: 401, body: error("no credit") } : failed(503);
}

function throttled(seconds: string | null): Reply {
  const headers: Record<string, string> = seconds === null ? {} : { "retry-after": seconds };
  return { status: 429, headers, body: error("slow down") };
}

function failed(status: number): Reply {
  return { status, body: error(`status ${status}`) };
}

function error(message: string): string {
  return JSON.stringify({ error: { message, type: "server_error", param: null, code: null } });
}

/** Names its call and the body that it answers; raw newlines have to become spaces. */
function success({ nr, body }: Send): string {
  const of = createHash("sha256").update(body).digest("hex").slice(0, 16);
  return `{"choices":[\n{"nr":${nr},"of":"${of}"}],\r\n"usage":{"prompt_tokens":2,"completion_tokens":3,"total_tokens":5}}`;
}

function read(reply: Reply, { body }: Send): Answer {
  if (reply === "refused") return unanswered("refused", { code: "connection_failed", message: "refused" });
  if (reply === "reset")
    return unanswered("reset", { code: "connection_failed", message: `cut at ${body.length}` });
  if (reply === "timeout") return unanswered("timeout", { code: "request_timeout", message: "too slow" });
  const { status, headers = {}, body: text } = reply;
  return answerOf({ status, headers, body: Buffer.from(text) }, { secret: null, now: Date.now() });
}
