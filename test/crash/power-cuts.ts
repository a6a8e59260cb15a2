import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createClients } from "./oracle/clients.ts";
import { loopUnavailable, mountImage, system, unmount } from "./oracle/mounts.ts";
import { createServeWorld } from "./oracle/serve-world.ts";
import type { Round } from "./part.ts";
import { type RoundOptions, witnessedPart } from "./witnessed-part.ts";

const concurrency = 16;
const cutsPerRound = 5;

/** A round: a server on a disk of its own, which loses its power five times while two clients use it. */
export const powerCuts = witnessedPart({
  name: "power-cuts",
  title:
    "nerif serve under two clients on an ext4 image behind a loop device with direct I/O; stopped, the image copied, killed, the copy mounted in its place; 5 cuts a round",
  rounds: 40,
  unavailable: loopUnavailable,
  witness: { latency: "lognormal:30ms,0.6" },
  round,
});

async function round(options: RoundOptions): Promise<Round> {
  const { directory, witness, name, seed, random } = options;
  const world = createServeWorld({ directory, witness, concurrency, seed });
  const { server } = world;
  let disk = newDisk(join(directory, "disk-0.img"), world.directory);
  try {
    await server.start();
    const clients = createClients(world, { name, random });
    for (let cut = 1; cut <= cutsPerRound; cut += 1) {
      await witness.more(random() * 250, 3_000);
      await sleep(random() * 30);
      process.kill(-(server.process().child.pid ?? 0), "SIGSTOP");
      const image = join(directory, `disk-${cut}.img`);
      system("cp", "--sparse=always", disk.image, image);
      await server.kill();
      disk.remove();
      disk = existingDisk(image, world.directory);
      await server.start();
    }
    await clients.stop();
    await server.stop();
    // In flight, the answers of one turn of the event loop, and those of one sync interval.
    const mayRepeat = cutsPerRound * 3 * concurrency;
    const { violations, repeats, lines, ended } = await world.finish(mayRepeat);
    const acknowledged = world.history.files.size + world.history.batches.size;
    const batches = Object.fromEntries(
      Object.entries(ended).map(([status, of]) => [`batches ${status}`, of]),
    );
    return {
      counts: {
        cuts: cutsPerRound,
        lines,
        acknowledged,
        repeated: repeats,
        "may be repeated": mayRepeat,
        ...batches,
      },
      violations,
    };
  } finally {
    await server.kill();
    disk.remove();
    world.remove();
  }
}

interface Disk {
  image: string;
  remove(): void;
}

function newDisk(image: string, place: string): Disk {
  system("truncate", "-s", "96m", image);
  system("mkfs.ext4", "-q", "-F", image);
  return existingDisk(image, place);
}

/** Mounting it replays what the file system had in its own journal, as after a cut. */
function existingDisk(image: string, place: string): Disk {
  const device = mountImage(image, place);
  return {
    image,
    remove() {
      unmount(place, device);
      rmSync(image, { force: true });
    },
  };
}
