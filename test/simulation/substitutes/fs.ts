import { callLater, callNow, endOf, happens, isDiskFull } from "../world/calls.ts";
import { fail } from "../world/disk.ts";
import { theWorld } from "../world/world.ts";
import { handleOf } from "./open-files.ts";

/*
 * Stands in for `node:fs`: what the program's disk adapters use of it, on the disk of the world.
 */

export { constants } from "node:fs";

/** Writes within the turn, as the journal does: where the life ends in it, a part of it is in the file. */
export function writevSync(fd: number, buffers: readonly Uint8Array[], position: number): number {
  const all = Buffer.concat(buffers);
  return callNow("writevSync", {
    dead: all.length,
    effect(share) {
      const { weather, random } = theWorld();
      if (isDiskFull()) fail("ENOSPC", "writev");
      const short = happens(weather.shortWrites) ? random.int(1, all.length) : all.length;
      const taken = share === 1 ? short : Math.floor(share * short);
      handleOf(fd).write(position, all.subarray(0, taken));
      return taken;
    },
  });
}

export function fdatasync(fd: number, done: (error: Error | null) => void): void {
  const end = endOf(handleOf(fd).beginSync(), "fdatasync");
  callLater("fdatasync", end, { slowest: theWorld().weather.slowestDisk }).then(
    () => done(null),
    (reason: unknown) => done(reason instanceof Error ? reason : new Error(String(reason))),
  );
}
