import { parseArgs } from "node:util";
import { withoutPostgres } from "../test/support/postgres.ts";
import { measureHistory } from "./history/measure-history.ts";
import { openPostgresPlace, openSqlitePlace } from "./history/places.ts";

/*
 * `nerif serve` with many open batches and a long history: how long requests take, how busy it is while everything
 * waits, and how the database finds what is asked for. On SQLite, and on PostgreSQL where it is installed. Options:
 *
 *   --lines N         lines of all batches that have ended together; default 10,000,000
 *   --batch-lines N   of each of them; default 500
 *   --open N          batches that wait for a model server that is down; default 1,000
 *   --rounds N        requests of each kind; default 200
 *   --only NAME       sqlite or postgresql
 *   --plans           also shows the plan of each statement
 */

const { values } = parseArgs({
  options: {
    lines: { type: "string", default: "10000000" },
    "batch-lines": { type: "string", default: "500" },
    open: { type: "string", default: "1000" },
    rounds: { type: "string", default: "200" },
    only: { type: "string", default: "" },
    plans: { type: "boolean", default: false },
  },
});
const size = {
  lines: Number(values.lines),
  linesPerBatch: Number(values["batch-lines"]),
  open: Number(values.open),
  rounds: Number(values.rounds),
  plans: values.plans,
};
if ("sqlite".includes(values.only)) await measureHistory(await openSqlitePlace(), size);
if (!"postgresql".includes(values.only)) process.exit();
if (withoutPostgres === null) await measureHistory(await openPostgresPlace(), size);
else console.log(`PostgreSQL is left out (${withoutPostgres})`);
