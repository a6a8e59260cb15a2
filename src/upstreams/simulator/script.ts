import { drawLatency, type Latency } from "./latency.ts";

/**
 * What a simulated server does, to which requests, and when. All rules that fit a request apply; where two say
 * something about the same thing the later one wins.
 */
export interface Rule {
  /** Milliseconds after the first request; default 0 and for ever. */
  from?: number;
  until?: number;
  /** Only requests for this model. Limits of such a rule are of this model alone. */
  model?: string;
  /** Only requests whose body holds this text. */
  containing?: string;
  /** Requests that are worked on at once. */
  slots?: number;
  /** What becomes of those beyond the slots. Default `queue`. */
  beyond?: "queue" | "refuse";
  latency?: Latency;
  /** Each request in work makes the others so much slower, as a share of the latency, as on a shared processor. */
  slowdown?: number;
  /** Requests that are taken in a time: `bucket` lets through what was saved up, `window` counts from full second to full second. */
  rate?: { perSecond: number; burst: number; kind: "bucket" | "window" };
  /** What 429 says about coming back; null: nothing. Default 1 s. */
  retryAfterMs?: number | null;
  /** Instead of an answer. */
  answer?: ScriptedFailure | "reset" | "hang";
}

export interface ScriptedFailure {
  status: number;
  code: string | null;
  message: string;
}

/** What becomes of one request. Work begins when `start` is called; who is done or gives up calls `leave`, then `look`. */
export type Verdict =
  | { type: "fail"; failure: ScriptedFailure; retryAfterMs: number | null; latencyMs: number }
  | { type: "reset" }
  | { type: "hang" }
  | { type: "work"; leave: () => void };

export interface ScriptedServer {
  /** @param start told how many milliseconds the work takes, at once or when there is room */
  arrive(request: { now: number; model: string; text: string }, start: (ms: number) => void): Verdict;
  /** Lets those in that had to wait: to be called when a rule began or ended. */
  look(now: number): void;
  /** Times, after the first request, at which a rule begins or ends. */
  readonly changes: readonly number[];
}

interface Scope {
  inWork: number;
  queue: { model: string; start: (ms: number) => void }[];
  level: number;
  levelAt: number;
}

const throttled: ScriptedFailure = {
  status: 429,
  code: "rate_limit_exceeded",
  message: "Rate limit reached",
};

/** Pure: time and chance come from outside. */
export function createScriptedServer(rules: readonly Rule[], random: () => number): ScriptedServer {
  const scopes = new Map<string, Scope>();
  let begin = Number.NaN;

  function settingsFor(now: number, model: string, text: string) {
    const at = now - begin;
    let merged: Rule = {};
    for (const rule of rules) {
      const { from = 0, until = Number.POSITIVE_INFINITY } = rule;
      if (at < from || at >= until || (rule.model ?? model) !== model) continue;
      if (rule.containing !== undefined && !text.includes(rule.containing)) continue;
      merged = { ...merged, ...rule };
    }
    return merged;
  }

  function scopeOf(model: string | undefined): Scope {
    const key = model ?? "*";
    let scope = scopes.get(key);
    if (scope === undefined) {
      scope = { inWork: 0, queue: [], level: Number.NaN, levelAt: 0 };
      scopes.set(key, scope);
    }
    return scope;
  }

  function isWithinRate(scope: Scope, rate: NonNullable<Rule["rate"]>, now: number): boolean {
    const at = now - begin;
    if (Number.isNaN(scope.level)) scope.level = rate.burst;
    else if (rate.kind === "bucket")
      scope.level = Math.min(rate.burst, scope.level + ((at - scope.levelAt) * rate.perSecond) / 1_000);
    else if (Math.floor(at / 1_000) > Math.floor(scope.levelAt / 1_000)) scope.level = rate.perSecond;
    scope.levelAt = at;
    if (scope.level < 1) return false;
    scope.level -= 1;
    return true;
  }

  function durationOf({ latency = { kind: "fixed", ms: 0 }, slowdown = 0 }: Rule, inWork: number): number {
    return drawLatency(latency, random) * (1 + slowdown * inWork);
  }

  function letIn(scope: Scope, now: number): void {
    for (let next = scope.queue[0]; next !== undefined; next = scope.queue[0]) {
      const settings = settingsFor(now, next.model, "");
      if (scope.inWork >= (settings.slots ?? Number.POSITIVE_INFINITY)) return;
      scope.queue.shift();
      scope.inWork += 1;
      next.start(durationOf(settings, scope.inWork));
    }
  }

  return {
    changes: [
      ...new Set(rules.flatMap(({ from, until }) => [from, until]).filter((at) => at !== undefined)),
    ].sort((a, b) => a - b),
    look(now) {
      for (const scope of scopes.values()) letIn(scope, now);
    },
    arrive({ now, model, text }, start) {
      if (Number.isNaN(begin)) begin = now;
      const settings = settingsFor(now, model, text);
      const scope = scopeOf(settings.model);
      const { answer, retryAfterMs = 1_000, slots = Number.POSITIVE_INFINITY } = settings;
      if (answer === "reset" || answer === "hang") return { type: answer };
      if (answer !== undefined) {
        return { type: "fail", failure: answer, retryAfterMs: null, latencyMs: durationOf(settings, 0) };
      }
      const refusal: Verdict = { type: "fail", failure: throttled, retryAfterMs, latencyMs: 0 };
      if (settings.rate !== undefined && !isWithinRate(scope, settings.rate, now)) return refusal;
      const waiting = { model, start };
      const leave = (): void => {
        const at = scope.queue.indexOf(waiting);
        // Who gives up while it waits never took a slot.
        if (at >= 0) scope.queue.splice(at, 1);
        else scope.inWork -= 1;
      };
      if (scope.inWork < slots) {
        scope.inWork += 1;
        start(durationOf(settings, scope.inWork));
        return { type: "work", leave };
      }
      if (settings.beyond === "refuse") return { ...refusal, retryAfterMs: settings.retryAfterMs ?? null };
      scope.queue.push(waiting);
      return { type: "work", leave };
    },
  };
}
