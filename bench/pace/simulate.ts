import { createBudget } from "../../src/engine/pace/budget.ts";
import { createRandom } from "../../src/upstreams/simulator/random.ts";
import { drive } from "./driver.ts";
import type { Scenario, ScenarioResult, SeenCall } from "./scenario.ts";
import { createSimulatedUpstream, type SimulatedLine } from "./simulated-upstream.ts";
import { createWorld } from "./world.ts";

/** Runs a scenario in simulated time, with the controllers alone. Only one upstream and one batch can be there. */
export function simulate(scenario: Scenario, seed: number): ScenarioResult {
  const world = createWorld();
  const [first] = scenario.upstreams;
  const upstream = createSimulatedUpstream(first?.rules ?? [], { world, seed });
  const { requestsPerMinute, tokensPerMinute } = scenario.limits ?? {};
  const ended: ScenarioResult["ended"][number][] = [];
  const all = (scenario.batches[0]?.lines ?? []).map(
    ({ output, ...line }, index): SimulatedLine => ({
      ...line,
      index,
      tokens: { input: Math.ceil(line.text.length / 4), output },
    }),
  );
  for (const model of new Set(all.map((line) => line.model))) {
    const of = all.filter((line) => line.model === model);
    drive(of, {
      ...{ world, upstream, maxAttempts: 5, random: createRandom(seed), floor: 1, ceiling: 1_000 },
      ...scenario.concurrency,
      requests: requestsPerMinute === undefined ? null : createBudget(requestsPerMinute),
      tokens: tokensPerMinute === undefined ? null : createBudget(tokensPerMinute),
      onFinal: (line, ok) => ended.push({ batch: 0, line: line.index, ok, at: world.now() }),
    });
  }
  world.run(scenario.endMs);
  const calls = upstream.calls.map(
    ({ line, status: _, ...call }): SeenCall => ({
      ...call,
      upstream: first?.name ?? "",
      text: all[line]?.text ?? "",
    }),
  );
  return { calls, ended };
}
