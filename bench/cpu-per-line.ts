import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeInput } from "./input.ts";
import { buildCommand, measure, type Spread, save, spread, startUpstream } from "./measure.ts";

/**
 * CPU time per line of `nerif run`, beside a bare undici loop (the floor) and the script that most people write.
 * Each figure is the difference of a long and a short run divided by the difference of their lines, so that starting up
 * and warming up are left out. The contestants take turns on the same upstream; give the number of rounds as argument.
 */
const rounds = Number(process.argv[2] ?? 5);
const inFlight = 64;
const lineBytes = 450;
const scratch = mkdtempSync(join(tmpdir(), "nerif-bench-"));
const nerif = buildCommand(scratch);
const upstream = await startUpstream();

interface Contestant {
  name: string;
  /** Lines of the short and the long run. */
  lines: [number, number];
  /** Arguments for node; the results, if any, go to `output`. */
  command(input: string, output: string): string[];
  writes: boolean;
}

const contestants: Contestant[] = [
  {
    name: "nerif run",
    lines: [20_000, 120_000],
    writes: true,
    command: (input, output) => [
      nerif,
      ...["run", input, "-o", output, "--upstream", upstream.url, "--concurrency", String(inFlight)],
      ...["--data-dir", join(scratch, "data")],
    ],
  },
  {
    name: "bare undici loop",
    lines: [20_000, 120_000],
    writes: false,
    command: (input) => [
      join(import.meta.dirname, "contestants/undici-loop.ts"),
      input,
      upstream.url,
      String(inFlight),
    ],
  },
  {
    name: "openai SDK + p-map + appendFile",
    lines: [2_000, 8_000],
    writes: true,
    command: (input, output) => [
      join(import.meta.dirname, "contestants/openai-sdk.ts"),
      ...[input, upstream.url, output, String(inFlight)],
    ],
  },
];

try {
  for (const lines of new Set(contestants.flatMap((contestant) => contestant.lines))) {
    writeInput(inputOf(lines), { lines, lineBytes });
  }
  const figures = new Map(
    contestants.map(({ name }) => [name, { cpu: [] as number[], rate: [] as number[] }]),
  );
  for (let round = 1; round <= rounds; round++) {
    for (const contestant of contestants) {
      const { microseconds, perSecond } = await turn(contestant);
      figures.get(contestant.name)?.cpu.push(microseconds);
      figures.get(contestant.name)?.rate.push(perSecond);
      console.error(
        `round ${round}/${rounds}  ${contestant.name}: ${microseconds.toFixed(1)} us of CPU per line`,
      );
    }
  }
  const rows = [...figures].map(([name, { cpu, rate }]) => ({
    name,
    cpuMicrosecondsPerLine: rounded(spread(cpu)),
    linesPerSecond: rounded(spread(rate)),
  }));
  print(rows);
  save("cpu-per-line", { rounds, inFlight, lineBytes, answerBytes: 664, rows });
} finally {
  upstream.stop();
  rmSync(scratch, { recursive: true });
}

async function turn(contestant: Contestant) {
  const [short, long] = contestant.lines;
  const few = await run(contestant, short);
  const many = await run(contestant, long);
  return {
    microseconds: ((many.cpuSeconds - few.cpuSeconds) / (long - short)) * 1e6,
    perSecond: (long - short) / (many.seconds - few.seconds),
  };
}

async function run(contestant: Contestant, lines: number) {
  const results = join(scratch, "results");
  mkdirSync(results);
  const output = join(results, "output.jsonl");
  const usage = await measure(contestant.command(inputOf(lines), output), { scratch });
  if (contestant.writes) {
    const written = readFileSync(output).reduce((count, byte) => (byte === 10 ? count + 1 : count), 0);
    if (written !== lines) throw new Error(`${contestant.name} wrote ${written} of ${lines} lines`);
  }
  rmSync(results, { recursive: true });
  rmSync(join(scratch, "data"), { recursive: true, force: true });
  return usage;
}

function inputOf(lines: number): string {
  return join(scratch, `input-${lines}.jsonl`);
}

function rounded({ median, min, max }: Spread): Spread {
  const round = (value: number) => Number(value.toPrecision(3));
  return { median: round(median), min: round(min), max: round(max) };
}

function print(rows: { name: string; cpuMicrosecondsPerLine: Spread; linesPerSecond: Spread }[]): void {
  const cell = ({ median, min, max }: Spread) => `${median} (${min}-${max})`;
  const base = rows[0]?.cpuMicrosecondsPerLine.median ?? Number.NaN;
  console.log(
    `\n| median (min-max) of ${rounds} rounds | CPU us per line | times nerif | lines per second |`,
  );
  console.log("|---|---|---|---|");
  for (const { name, cpuMicrosecondsPerLine: cpu, linesPerSecond } of rows) {
    console.log(`| ${name} | ${cell(cpu)} | ${(cpu.median / base).toFixed(2)} | ${cell(linesPerSecond)} |`);
  }
}
