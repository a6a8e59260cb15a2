import { writeFileSync } from "node:fs";
import { DatabaseSync, StatementSync } from "node:sqlite";

/** Loaded before a program: writes to the file `BENCH_SQL`, when it ends, how often it ran each statement. */
const counts: Record<string, number> = {};

function count(sql: string): void {
  counts[sql] = (counts[sql] ?? 0) + 1;
}

for (const method of ["run", "all", "get"] as const) {
  const original = StatementSync.prototype[method] as (...given: unknown[]) => unknown;
  Object.defineProperty(StatementSync.prototype, method, {
    value(this: StatementSync, ...given: unknown[]) {
      count(this.sourceSQL);
      return original.apply(this, given);
    },
  });
}
const { exec } = DatabaseSync.prototype;
DatabaseSync.prototype.exec = function (sql) {
  count(sql);
  exec.call(this, sql);
};

process.on("exit", () => writeFileSync(process.env.BENCH_SQL ?? "/dev/stderr", JSON.stringify(counts)));
