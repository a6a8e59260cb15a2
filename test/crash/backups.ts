import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createRandom, seedOf } from "../../src/upstreams/simulator/random.ts";
import { startCli } from "../support/cli-process.ts";
import { checkServer } from "./oracle/check-server.ts";
import { createClients, loopOf } from "./oracle/clients.ts";
import type { History } from "./oracle/history.ts";
import { createServeWorld, type ServeWorld } from "./oracle/serve-world.ts";
import { createServer } from "./oracle/server.ts";
import { createUploader } from "./oracle/uploads.ts";
import { startWitness, type Witness } from "./oracle/witness.ts";
import type { Part, Round } from "./part.ts";

const concurrency = 16;

/** A round: backups of a server under load; each is served by itself, and has all that was acknowledged before it. */
export function backups(perRound = 3): Part {
  return {
    name: "backups",
    title: `nerif backup at random moments while clients use the server; each backup is served by itself and held against what was acknowledged before it began; ${perRound} a round`,
    rounds: 10,
    unavailable: () => null,
    async open({ directory, seed }) {
      const witness = await startWitness({ directory, latency: "lognormal:30ms,0.6", errorRate: 0.02, seed });
      return {
        round: (index) =>
          round({
            directory: join(directory, `round-${index}`),
            witness,
            name: `${seed}-${index}`,
            seed,
            perRound,
          }),
        [Symbol.asyncDispose]: () => witness.stop(),
      };
    },
  };
}

interface RoundOptions {
  directory: string;
  witness: Witness;
  name: string;
  seed: number;
  perRound: number;
}

async function round({ directory, witness, name, seed, perRound }: RoundOptions): Promise<Round> {
  const random = createRandom(seedOf(seed, name));
  const world = createServeWorld({ directory, witness, concurrency, seed });
  const { server } = world;
  await server.start();
  const uploads = createUploader(world, { name, random: createRandom(seedOf(seed, `${name} uploads`)) });
  const clients = [
    createClients(world, { name, random }),
    loopOf(uploads.act, { pause: 60, random: createRandom(seedOf(seed, `${name} pauses`)) }),
  ];
  while (world.history.batches.size === 0) await sleep(20);
  const taken: Taken[] = [];
  for (let index = 0; index < perRound; index += 1) {
    await sleep(200 + random() * 1_500);
    taken.push(await takeBackup(world, join(directory, `backup-${index}`)));
  }
  await Promise.all(clients.map((client) => client.stop()));
  await server.stop();
  const violations: string[] = [];
  const counts: Record<string, number> = { backups: taken.length };
  for (const backup of taken) {
    const checked = await checkBackup(backup, { witness, seed, server: world.directory });
    violations.push(...checked.violations);
    for (const [what, count] of Object.entries(checked.counts)) counts[what] = (counts[what] ?? 0) + count;
  }
  const finished = await world.finish(Number.POSITIVE_INFINITY);
  violations.push(...finished.violations);
  if (violations.length === 0) rmSync(directory, { recursive: true, force: true });
  return { counts, samples: { "backup taken in, ms": taken.map(({ ms }) => ms) }, violations };
}

interface Taken {
  place: string;
  /** What its server must know, and may know. */
  history: History;
  ms: number;
  violations: string[];
}

async function takeBackup({ directory, history }: ServeWorld, place: string): Promise<Taken> {
  const batches = new Map([...history.batches].map(([id, known]) => [id, { ...known }]));
  const before = new Map([...history.files].map(([id, known]) => [id, { ...known }]));
  const from = performance.now();
  const { code, stderr } = await startCli(["backup", place, "--json"], { cwd: directory }).ended;
  const ms = performance.now() - from;
  // What happened meanwhile may be in it or not.
  const files: History["files"] = new Map(
    [...history.files].map(([id, { file, removal }]) => {
      const known = before.get(id)?.removal;
      return [id, { file, removal: known === "none" && removal !== "none" ? "asked" : (known ?? "asked") }];
    }),
  );
  return {
    place,
    history: { ...history, sent: new Map(history.sent), files, batches, violations: [] },
    ms,
    violations: code === 0 ? [] : [`P23 the backup ended with ${code}: ${stderr}`],
  };
}

async function checkBackup(
  { place, history, violations }: Taken,
  { witness, seed, server: original }: { witness: Witness; seed: number; server: string },
): Promise<{ violations: string[]; counts: Record<string, number> }> {
  if (violations.length > 0) return { violations, counts: {} };
  const restored = createServer({
    directory: original,
    upstream: witness.url,
    concurrency,
    args: ["--data-dir", place],
  });
  if (!(await restored.start()))
    return {
      violations: [`P23 no server starts on ${place}: ${restored.process().output().stderr}`],
      counts: {},
    };
  const known = new Set(
    [...history.sent.values()].flatMap(({ requests }) => requests.map(({ digest }) => digest)),
  );
  const calls = () => witness.calls().filter(({ body_sha256 }) => known.has(body_sha256));
  const checked = await checkServer(restored.ask, { history, calls, seed });
  const code = await restored.stop();
  if (code !== 0) checked.violations.push(`I9 the server of ${place} ended with ${code}`);
  const acknowledged = [...history.files.values()].filter(({ removal }) => removal === "none").length;
  return {
    violations: checked.violations.map((violation) => `${place}: ${violation}`),
    counts: {
      "acknowledged files": acknowledged,
      "acknowledged batches": history.batches.size,
      "batches restored": checked.batches.length,
      lines: checked.lines,
    },
  };
}
