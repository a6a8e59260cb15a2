import { noTokens } from "../../src/batch/usage.ts";
import type { Clock } from "../../src/engine/clock.ts";
import { createDispatcher, type Dispatcher } from "../../src/engine/dispatch/dispatcher.ts";
import type { Line } from "../../src/engine/dispatch/line.ts";
import { newHistory } from "../../src/engine/dispatch/retry.ts";
import { createRouteQueue, type RouteQueue } from "../../src/engine/dispatch/route-queue.ts";
import { testCallPrefix } from "../../src/engine/dispatch/test-call.ts";
import { recordKinds } from "../../src/journal/journal.ts";
import { createMemoryJournal } from "../../src/journal/memory.ts";
import { createRandom } from "../../src/upstreams/simulator/random.ts";
import type { Upstream } from "../../src/upstreams/upstream.ts";
import type { Scenario, ScenarioLine, ScenarioResult, SeenCall } from "./scenario.ts";
import { createSimulatedUpstream, type SimulatedUpstream } from "./simulated-upstream.ts";
import { createWorld, type World } from "./world.ts";

/** Runs a scenario in simulated time: the engine's own dispatchers, lanes and queues, without files and sockets. */
export function simulate(scenario: Scenario, seed: number): ScenarioResult {
  const world = createWorld();
  const ended: ScenarioResult["ended"][number][] = [];
  const servers = scenario.upstreams.map(({ rules }, nth) =>
    createSimulatedUpstream(rules, { world, seed: seed * 100 + nth }),
  );
  const clock = clockOf(world);
  const journal = createMemoryJournal();
  const dispatchers = servers.map((server, nth) =>
    createDispatcher(upstreamOf(server, scenario, nth), { journal, clock }),
  );
  scenario.batches.forEach(({ lines, startMs = 0 }, batch) => {
    world.at(startMs, () => {
      const onEnd = (line: number, ok: boolean) => ended.push({ batch, line, ok, at: world.now() });
      begin(lines, { batch, dispatchers, clock, random: createRandom(seed), onEnd });
    });
  });
  world.run(scenario.endMs);
  return { calls: servers.flatMap((server, nth) => seen(server, scenario, nth)), ended };
}

function begin(
  lines: readonly ScenarioLine[],
  options: {
    batch: number;
    dispatchers: Dispatcher[];
    clock: Clock;
    random: () => number;
    onEnd: (line: number, ok: boolean) => void;
  },
): void {
  const { batch, dispatchers, clock, random } = options;
  const queues = new Map<string, RouteQueue>();
  const signal = new AbortController().signal;
  const share = { project: "default", weight: 1, deadline: Number.POSITIVE_INFINITY };
  lines.forEach(({ model, text }, index) => {
    let queue = queues.get(model);
    if (queue === undefined) {
      queue = createRouteQueue(
        { endpoint: "/v1/chat/completions", model },
        {
          ...{ dispatchers, clock, random, signal, share, maxAttempts: 5 },
          onTaken: () => {},
          onAnswered: () => {},
        },
      );
      queues.set(model, queue);
    }
    queue.push(newLine({ batchId: `${batch}`, index, model, body: Buffer.from(text) }, options.onEnd));
  });
  for (const queue of queues.values()) queue.pump();
}

function newLine(
  fields: Pick<Line, "batchId" | "index" | "model" | "body">,
  onEnd: (line: number, ok: boolean) => void,
): Line {
  return {
    ...fields,
    shard: {
      ...{ number: 0, outstanding: 1, full: false, lapsed: false, todo: [] },
      ...{ tally: noTally, tallyBefore: noTally },
      name: () => ({ batchId: fields.batchId, line: fields.index, customId: '""' }),
      append: (line, { kind }) => onEnd(line.index, kind === recordKinds.output),
      dropped: () => {},
      renew: () => Promise.resolve(true),
      close: () => Promise.resolve("done"),
      abandon: () => Promise.resolve(),
    },
    endpoint: "/v1/chat/completions",
    customId: '""',
    history: newHistory(),
    ...{ last: null, dueAt: 0, sentAt: 0, tokens: 0, atOnce: 0, source: null, failedOn: null },
  };
}

const noTally = { completed: 0, failed: 0, tokens: noTokens() };

function clockOf(world: World): Clock {
  return {
    now: world.now,
    monotonic: world.now,
    after(ms, callback) {
      let cancelled = false;
      world.at(world.now() + ms, () => {
        if (!cancelled) callback();
      });
      return () => {
        cancelled = true;
      };
    },
  };
}

function upstreamOf(server: SimulatedUpstream, scenario: Scenario, nth: number): Upstream {
  const { concurrency = { floor: 1, ceiling: 1_000 }, limits = {}, yields = {} } = scenario;
  return {
    name: scenario.upstreams[nth]?.name ?? "",
    serves: () => true,
    bounds: {
      concurrency: { least: concurrency.floor, most: concurrency.ceiling },
      requestsPerMinute: limits.requestsPerMinute ?? null,
      tokensPerMinute: limits.tokensPerMinute ?? null,
      yields: { maxShare: 1, offPeak: [], targetLatencyMs: null, ...yields },
    },
    send(call) {
      if (call.idempotencyKey.startsWith(testCallPrefix)) {
        const test = { index: -1, model: "m", text: "test", tokens: { input: 1, output: 1 } };
        server.send(test, call.onAnswer);
        return;
      }
      const [batch = 0, index = 0] = call.idempotencyKey.split(":").map(Number);
      const line = scenario.batches[batch]?.lines[index];
      if (line === undefined) throw new Error(`There is no line ${call.idempotencyKey}`);
      const { model, text, output } = line;
      server.send(
        { index, model, text, tokens: { input: Math.ceil(text.length / 4), output } },
        call.onAnswer,
      );
    },
    models: () => Promise.resolve([]),
    close: () => Promise.resolve(),
  };
}

function seen(server: SimulatedUpstream, scenario: Scenario, nth: number): SeenCall[] {
  const upstream = scenario.upstreams[nth]?.name ?? "";
  return server.calls.map((call) => ({ ...call, upstream }));
}
