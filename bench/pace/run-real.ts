import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createNerif, type Nerif } from "../../src/library/nerif.ts";
import {
  createSimulator,
  type ScriptedCall,
  type Simulator,
} from "../../src/upstreams/simulator/simulator.ts";
import type { Scenario, ScenarioLine, ScenarioResult, SeenCall } from "./scenario.ts";

/** Runs a scenario in real time: the whole engine on a disk, and model servers over HTTP. */
export async function runReal(scenario: Scenario, seed: number): Promise<ScenarioResult> {
  const dataDir = mkdtempSync(join(tmpdir(), "nerif-pace-"));
  const seen: (ScriptedCall & { upstream: string })[] = [];
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const servers: { simulator: Simulator; name: string; url: string }[] = [];
  for (const [nth, { name, rules }] of scenario.upstreams.entries()) {
    const onScripted = (call: ScriptedCall) => {
      seen.push({ ...call, upstream: name });
      begin();
    };
    const simulator = createSimulator({ script: rules, seed: seed * 100 + nth, onScripted });
    servers.push({ simulator, name, ...(await simulator.listen()) });
  }
  const { concurrency, limits, yields } = scenario;
  const bounds = concurrency && { least: concurrency.floor, most: concurrency.ceiling };
  const nerif = createNerif({
    dataDir,
    upstreams: servers.map(({ name, url }) => ({ name, url, concurrency: bounds, limits, ...yields })),
  });
  try {
    const ids = await runBatches(scenario, { nerif, begun });
    const failed = await failedLines(nerif, ids);
    return resultOf(scenario, seen, failed);
  } finally {
    await nerif.close({ graceMs: 0 });
    for (const { simulator } of servers) await simulator.close();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

/** Until they are all done, or the time is over. @returns the ids of the batches */
async function runBatches(
  scenario: Scenario,
  { nerif, begun }: { nerif: Nerif; begun: Promise<void> },
): Promise<string[]> {
  const ids: string[] = [];
  const ends: Promise<unknown>[] = [];
  const over = new AbortController();
  const inputs = [];
  for (const [nth, { lines }] of scenario.batches.entries())
    inputs.push((await nerif.files.createBatchFile(requests(lines, nth))).id);
  for (const [nth, { startMs = 0 }] of scenario.batches.entries()) {
    if (startMs > 0) await sleep(startMs);
    const batch = await nerif.batches.create({
      input_file_id: inputs[nth] ?? "",
      endpoint: "/v1/chat/completions",
      completion_window: "24h",
    });
    ids.push(batch.id);
    ends.push(nerif.batches.wait(batch.id, { signal: over.signal }).catch(() => null));
    if (nth === 0) await begun;
  }
  const last = scenario.batches.at(-1)?.startMs ?? 0;
  await Promise.race([Promise.all(ends), sleep(scenario.endMs - last, null, { ref: false })]);
  over.abort();
  return ids;
}

/** The field `user` tells the line; the text comes last. */
function* requests(lines: readonly ScenarioLine[], batch: number) {
  for (const [i, { model, text, output }] of lines.entries()) {
    yield {
      custom_id: `${i}`,
      method: "POST" as const,
      url: "/v1/chat/completions",
      body: { model, user: `${batch}:${i}`, max_tokens: output, messages: [{ role: "user", content: text }] },
    };
  }
}

/** Lines that have failed for good, as `batch:line`. */
async function failedLines(nerif: Nerif, ids: readonly string[]): Promise<Set<string>> {
  const failed = new Set<string>();
  for (const [batch, id] of ids.entries()) {
    for await (const result of nerif.batches.results(id, { follow: false })) {
      if (result.error !== null) failed.add(`${batch}:${result.custom_id}`);
    }
  }
  return failed;
}

function resultOf(
  scenario: Scenario,
  seen: readonly (ScriptedCall & { upstream: string })[],
  failed: ReadonlySet<string>,
): ScenarioResult {
  const begin = Math.min(...seen.map(({ arrivedAt }) => arrivedAt));
  const ended = new Map<string, ScenarioResult["ended"][number]>();
  const calls = seen.map((call): SeenCall => {
    const [, name = ""] = /"user":"([\d:]+)"/.exec(call.text) ?? [];
    const [batch = 0, line = 0] = name.split(":").map(Number);
    const [ok, at] = [call.status === 200, call.endedAt - begin];
    // A request of Nerif's own has no name.
    if (name !== "" && (ok || failed.has(name))) ended.set(name, { batch, line, ok, at });
    const text = scenario.batches[batch]?.lines[line]?.text ?? "";
    const { upstream, model, tokens, startedAt } = call;
    const workedMs = startedAt === null ? 0 : call.endedAt - startedAt;
    return { upstream, model, text, arrivedAt: call.arrivedAt - begin, answeredAt: at, workedMs, ok, tokens };
  });
  return { calls, ended: [...ended.values()] };
}
