import { readFileSync } from "node:fs";
import { join } from "node:path";
import { nerifRun } from "../contestants/nerif.ts";
import { spread } from "../measure/spread.ts";
import { goal } from "../report/goal.ts";
import type { Bench, Outcome, Row } from "../row.ts";
import { createInputs } from "./inputs.ts";

const lineBytes = 450;
const inFlight = 64;
const shardLines = 512;
const shards = [20, 120] as const;

/** How often the control store is asked. */
export const statements: Row = {
  name: "statements",
  title: `SQL statements of \`nerif run\`, counted by name at the database driver, begin and commit included: those of ${shards[1]} shards of ${shardLines} lines minus those of ${shards[0]}. What runs by the clock (the look for changes of other processes) is left out`,
  run,
};

async function run(bench: Bench): Promise<Outcome> {
  using inputs = createInputs(bench, { lineBytes });
  const perShard: Record<string, number>[] = [];
  for (let round = 0; round < bench.rounds; round += 1) {
    const [few, many] = [await count(shards[0]), await count(shards[1])];
    perShard.push(difference(few, many));
  }
  const totals = perShard.map((counts) => Object.values(counts).reduce((sum, each) => sum + each, 0));
  const names = [...new Set(perShard.flatMap((counts) => Object.keys(counts)))].sort();
  return {
    rounds: bench.rounds,
    contestants: names.map((name) => ({
      name,
      figures: { "per shard": spread(perShard.map((counts) => counts[name] ?? 0)) },
    })),
    goals: [goal({ figure: "SQL statements per shard", sense: "at most", bound: 6 }, totals)],
    skipped: [],
  };

  async function count(number: number): Promise<Record<string, number>> {
    const lines = number * shardLines;
    const report = join(bench.scratch, "sql.json");
    const node = ["--import", join(import.meta.dirname, "../contestants/count-sql.ts")];
    await nerifRun(bench, { input: inputs.of(lines), lines, inFlight, node, env: { BENCH_SQL: report } });
    return JSON.parse(readFileSync(report, "utf8"));
  }
}

/** Per shard, by the first word of the statement and its table. */
function difference(few: Record<string, number>, many: Record<string, number>): Record<string, number> {
  const found: Record<string, number> = {};
  for (const [sql, times] of Object.entries(many)) {
    if (/data_version|total_changes/.test(sql)) continue;
    const name = `${sql.split(" ")[0]} ${/(?:from|into|update) "(\w+)"/.exec(sql)?.[1] ?? ""}`.trim();
    found[name] = (found[name] ?? 0) + (times - (few[sql] ?? 0)) / (shards[1] - shards[0]);
  }
  return Object.fromEntries(Object.entries(found).filter(([, times]) => times !== 0));
}
