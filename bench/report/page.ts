import { shown } from "../measure/spread.ts";
import { aimOf, type Goal, measuredOf, type Verdict, verdict } from "./goal.ts";
import type { Result } from "./results.ts";

/** The page that says what was to be reached, and what was. */
export function pageOf(
  results: readonly Result[],
  { names, notes }: { names: readonly string[]; notes: string },
): string {
  const missing = names.filter((name) => !results.some((result) => result.name === name));
  const skipped = results.flatMap(({ name, skipped: what }) => what.map((each) => `- \`${name}\`: ${each}`));
  return [
    ...head,
    ...tableOf(results),
    "",
    ...(missing.length === 0
      ? []
      : [`Not run for this page: ${missing.map((name) => `\`${name}\``).join(", ")}.`, ""]),
    ...(skipped.length === 0 ? [] : ["Left out, for want of something on the machine:", "", ...skipped, ""]),
    notes.trim(),
    "",
    ...commands,
    "## The runs behind the table",
    "",
    ...results.flatMap(section),
  ].join("\n");
}

/** All goals, by row. */
export function tableOf(results: readonly Result[]): string[] {
  return [
    "| row | figure | goal | measured | reached |",
    "|---|---|---|---|---|",
    ...results.flatMap(({ name, goals }) => goals.map((each) => goalLine(name, each))),
  ];
}

function goalLine(name: string, goal: Goal): string {
  const cells = [`\`${name}\``, goal.figure, aimOf(goal), measuredOf(goal), verdicts[verdict(goal)]];
  return `| ${cells.join(" | ")} |`;
}

const verdicts: Record<Verdict, string> = { yes: "yes", "the first": "the first", no: "**no**" };

const head = `# Performance, as it was measured

This page is written by \`npm run bench\` from the results under \`bench/results/\`; nothing in it is rounded in our favour. Cells are
median (smallest-largest) over the rounds. What decides is CPU time, user and system of the whole process as the kernel has counted it when the
process ended, in proportion to a competitor that took turns with Nerif in the same run: other work on a machine moves seconds, and both sides of a
ratio alike. The model server shares the cores of all contestants and answers with fixed bytes; real ones are slower by orders
of magnitude, so these figures say what Nerif costs, not how long a batch takes.

## What was to be reached
`.split("\n");

const commands = `## How to run it again

\`\`\`text
npm run bench                                    # all rows but two, some 9 minutes, about 5 GB under the temporary directory
npm run bench -- --only chat,serve --rounds 5    # rows whose names begin so
npm run bench -- --only cluster                  # four processes on PostgreSQL, some 11 minutes
npm run bench -- --only memory-10000000          # a run of 10,000,000 lines, some 10 minutes and 30 GB
npm run bench -- --ten-million                   # all rows, these two among them
npm run bench -- --report                        # only this page
\`\`\`

It needs \`python3\`, whose \`wait4\` reads the kernel's account. On Debian \`apt-get install nginx-light libnginx-mod-http-lua wrk
python3-aiohttp\` brings the model server and the competitors; without nginx a small server on Node stands in for it, and
what else is missing is left out and named.
`.split("\n");

function section(result: Result): string[] {
  const { name, title, contestants, rounds, minutes, commit, date, machine, upstream, loadBefore } = result;
  if (contestants.length === 0) return [];
  const figures = [...new Set(contestants.flatMap((contestant) => Object.keys(contestant.figures)))];
  return [
    `### ${name}`,
    "",
    `${title}.`,
    "",
    `| | ${figures.join(" | ")} |`,
    `|---|${figures.map(() => "---|").join("")}`,
    ...contestants.map((contestant) => {
      const cells = figures.map((figure) => {
        const spread = contestant.figures[figure];
        return spread === undefined ? "-" : shown(spread);
      });
      return `| ${[contestant.name, ...cells].join(" | ")} |`;
    }),
    "",
    `\`npm run bench -- --only ${name}\`: ${rounds} round${rounds === 1 ? "" : "s"}, ${minutes} minutes on ${date}, commit ${commit}, ${machine}; model server ${upstream}; load ${loadBefore} before it began.`,
    "",
  ];
}
