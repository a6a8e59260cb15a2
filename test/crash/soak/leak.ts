import { openSync } from "node:fs";

/*
 * Loaded into a server by NODE_OPTIONS, so that it leaks: memory that is used, or descriptors, so many MiB or so many
 * a second.
 */
const kept: Buffer[] = [];
const { NERIF_LEAK_MIB, NERIF_LEAK_FILES } = process.env;

if (NERIF_LEAK_MIB !== undefined) every(() => kept.push(Buffer.alloc(Number(NERIF_LEAK_MIB) * 2 ** 18, 1)));
if (NERIF_LEAK_FILES !== undefined) {
  every(() => {
    for (let left = Number(NERIF_LEAK_FILES) / 4; left > 0; left -= 1) openSync("/dev/null", "r");
  });
}

function every(act: () => void): void {
  setInterval(act, 250).unref();
}
