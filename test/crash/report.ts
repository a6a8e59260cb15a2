import type { MutationResult } from "./mutations/results.ts";
import type { PartResult, Results } from "./results.ts";
import { type SeedResult, seedsOf } from "./seeds.ts";

export interface Beside {
  /** Of all parts, in the order of the page. */
  names: readonly string[];
  mutations: readonly MutationResult[];
  seeds: readonly SeedResult[];
  /** A text about what was found and mended. */
  found: string;
}

/** The page that says what was tried, and what came of it. */
export function reportOf(results: Results, { names, mutations, seeds, found }: Beside): string {
  const known = names.flatMap((name) =>
    results[name] === undefined ? [] : [[name, results[name]] as const],
  );
  const ran = known.filter(([, { skipped }]) => skipped === null);
  const missing = names.filter((name) => results[name] === undefined);
  return [
    ...head,
    "| part | rounds | violations | what was counted |",
    "|---|---|---|---|",
    ...known.map(
      ([name, result]) => `| \`${name}\` | ${rounds(result)} | ${violations(result)} | ${figures(result)} |`,
    ),
    "",
    ...(missing.length === 0
      ? []
      : [`Not run for this page: ${missing.map((name) => `\`${name}\``).join(", ")}.`, ""]),
    "## What the parts do",
    "",
    ...known.map(([name, { title }]) => `- \`${name}\`: ${title}.`),
    "",
    "## Where this was measured",
    "",
    ...known.map(([name, result]) => `- \`${name}\`: ${where(result)}`),
    "",
    ...failures(ran),
    ...seedsOf(seeds),
    ...trials(mutations),
    found,
    ...foot,
  ].join("\n");
}

const head = `# Reliability, as it was tried

What [operation](operation.md#what-survives-what) promises was put to the test with real processes, real files and a model server that writes down every
call. This page is written by \`npm run test:crash\` from \`reliability.json\` beside it; nothing in it is rounded in our favour, and what a
machine could not run is named as skipped.

After each fault everything is started again without it, and one checker holds the outcome against what clients were told and what the
model server saw:

- I1 every acknowledged file, part of an upload and API key is there, files byte for byte; nothing is there that nobody sent, and a revoked key stays
  revoked
- I2 every acknowledged batch is there, ends, and never goes back to an earlier status
- I3 each line of an input is exactly once in the output or the error file, in input order
- I4 each line of an output holds the very answer that was given to that very body
- I5 calls made in vain stay within the bound: per kill the calls in flight and the answers of one turn of the event loop (together at most twice the
  concurrency), per power cut also those of one sync interval; in a cluster per kill, per pause beyond the leases and, for each process, per absence of
  the database of more than 4 seconds, with results in S3 also the 1,024 answers that may wait for it; attempts stay within [the rules](operation.md#when-the-upstream-fails)
- I6 the counts are those of the files, and never shrink
- I7 what has ended never changes again, also after another restart, and no working file is left
- I8 of each end of a batch a receiver was told, rightly signed, under one \`webhook-id\` and with the same body each time
- I9 without faults everything ends within a minute, in a cluster on this one machine within three
- I10 neither memory nor open descriptors of a server grow with time or with restarts
`.split("\n");

const foot = `## How to run it again

\`\`\`text
npm run test:crash                                   # all parts, some hours; what is there already for these sources is kept
npm run test:crash -- --only kills-serve --rounds 10 # one part; a name's beginning does, several with commas
npm run test:crash -- --seed 7 --fresh               # other moments, from the beginning
npm run test:crash -- --report                       # only this page
\`\`\`

All of it runs the command as it is published, bundled anew; parts of commits before cb09a30 ran it from the sources. A run that was stopped goes on where it was. A seed gives the same moments, but not the same interleaving: processes are real. A round that
breaks a promise keeps its directory and names it. Crash points need Linux and a C compiler (\`faults.c\` is loaded into the process with
\`LD_PRELOAD\`, so that one counter counts the calls of all threads), power cuts and full disks need root and loop devices.

The disk of \`power-cuts\` does not reorder writes inside its own cache; the parts that end in \`-power\` and \`-names\` assume the worst
instead: whatever was not synced is gone, or has a name and no bytes.
`.split("\n");

function rounds({ skipped, rounds: count, isComplete }: PartResult): string {
  if (skipped !== null) return `skipped: ${skipped}`;
  return `${count}${isComplete ? "" : " (not all)"}`;
}

function violations({ skipped, violations: found }: PartResult): string {
  return skipped === null ? String(found.length) : "-";
}

function figures({ counts, samples, figures = {} }: PartResult): string {
  const summed = Object.entries(counts).map(([name, count]) => `${name} ${count.toLocaleString("en-US")}`);
  const last = Object.entries(figures).map(([name, value]) => `${name}: ${value}`);
  const sampled = Object.entries(samples).map(([name, values]) => `${name}: ${spread(values)}`);
  return [...summed, ...sampled, ...last].join("; ");
}

function spread(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  return sorted.length === 0 ? "none" : `median ${at(0.5)}, 95th percentile ${at(0.95)}, of ${sorted.length}`;
}

function where({ commit, seed, machine, minutes }: PartResult): string {
  return `commit ${commit}, seed ${seed}, ${minutes.toFixed(1)} minutes on ${machine}`;
}

/** How the harness did when the sources were broken on purpose. */
function trials(mutations: readonly MutationResult[]): string[] {
  if (mutations.length === 0) return [];
  const rows = mutations.map(({ name, watchedBy, isCaught, says }) => {
    const said = says.replaceAll("|", "/");
    return `| ${name} | \`${watchedBy}\` | ${isCaught ? "caught" : "**missed**"} | ${said} |`;
  });
  const caught = mutations.filter(({ isCaught }) => isCaught).length;
  const commits = [...new Set(mutations.map(({ commit }) => commit))].join(" and ");
  return [
    "## Is the harness any good?",
    "",
    "One sync, check or order at a time was taken out of a copy of the sources (`npm run test:mutations`); what watches over it had to go red, and",
    `to be green without the change. ${caught} of ${mutations.length} were caught, at commit ${commits}.`,
    "",
    "| change | watched by | result | what it said |",
    "|---|---|---|---|",
    ...rows,
    "",
  ];
}

function failures(ran: readonly (readonly [string, PartResult])[]): string[] {
  const all = ran.flatMap(([name, { violations: found }]) => found.map((text) => `- \`${name}\`: ${text}`));
  return all.length === 0 ? [] : ["## Promises that were broken", "", ...all, ""];
}
