import { appendFileSync, openSync, statSync } from "node:fs";

/*
 * Loaded into a server by NODE_OPTIONS, so that it leaks: NERIF_LEAK_MIB of memory a second, NERIF_LEAK_FILES open
 * files a second, NERIF_LEAK_START MiB more at each start in the same directory.
 */
const { NERIF_LEAK_MIB, NERIF_LEAK_FILES, NERIF_LEAK_START } = process.env;
const mib = 2 ** 20;
const kept: Buffer[] = [];

// Later than at once: `nerif serve` begins as one process and becomes another.
if (NERIF_LEAK_START !== undefined)
  setTimeout(() => keep(countStart() * Number(NERIF_LEAK_START)), 250).unref();
if (NERIF_LEAK_MIB !== undefined) setInterval(() => keep(Number(NERIF_LEAK_MIB) / 4), 250).unref();
if (NERIF_LEAK_FILES !== undefined) {
  setInterval(() => {
    for (let left = Number(NERIF_LEAK_FILES) / 4; left > 0; left -= 1) openSync("/dev/null", "r");
  }, 250).unref();
}

/** Memory that was only asked for is not resident: it is written to. */
function keep(size: number): void {
  kept.push(Buffer.alloc(size * mib, 1));
}

function countStart(): number {
  appendFileSync("starts", ".");
  return statSync("starts").size;
}
