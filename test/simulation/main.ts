import { argv } from "node:process";
import { parseArgs } from "node:util";
import { substituteModules } from "./substitutes/hooks.ts";
import { mutations } from "./substitutes/mutations.ts";
import { realNow } from "./substitutes/real.ts";
import { replaceGlobals } from "./substitutes/timers.ts";

const { values } = parseArgs({
  args: argv.slice(2),
  options: {
    seeds: { type: "string", default: "1000" },
    from: { type: "string", default: "0" },
    trace: { type: "boolean" },
    mutation: { type: "string" },
  },
});
substituteModules(values.mutation === undefined ? null : (mutations[values.mutation] ?? null));
const { openDatabase } = await import("./program/database.ts");
const { runSeed } = await import("./run-seed.ts");
const database = await openDatabase();
replaceGlobals();
let current = 0;
process.on("unhandledRejection", (reason) => {
  console.log("UNHANDLED seed", current, reason);
});
const started = realNow();
const cpu0 = process.cpuUsage();
let failed = 0,
  ms = 0,
  lives = 0,
  batches = 0,
  sends = 0,
  twice = 0;
const from = Number(values.from);
const n = Number(values.seeds);
for (let seed = from; seed < from + n; seed++) {
  current = seed;
  const result = await runSeed(seed, { database, keepTrace: values.trace === true });
  if (values.trace) console.log(result.trace.join("\n"));
  ms += result.simulatedMs;
  lives += result.lives;
  batches += result.batches;
  sends += result.sends;
  if (result.violations.length > 0) {
    failed++;
    console.log(`seed ${seed}: ${result.violations.slice(0, 3).join("\n   ")}`);
  }
  if (seed % 50 === 0) {
    const again = await runSeed(seed, { database });
    if (again.hash !== result.hash) {
      console.log(`seed ${seed} differs the second time`);
      twice++;
    }
  }
}
const s = (realNow() - started) / 1000;
const cpu = process.cpuUsage(cpu0).user / 1e6 + process.cpuUsage(cpu0).system / 1e6;
console.log({
  seeds: n,
  failed,
  s,
  perSecond: n / s,
  perCpuSecond: n / cpu,
  hours: ms / 3.6e6,
  lives,
  batches,
  sends,
});
