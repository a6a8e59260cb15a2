/** One instruction: `RUN`, and what stands behind it on its lines, put together. */
export interface Instruction {
  name: string;
  /** `--from=build`: `{ from: "build" }` */
  flags: Record<string, string>;
  text: string;
}

export interface Stage {
  /** What stands behind `AS`; for the last stage usually nothing. */
  name: string | undefined;
  /** `node:24.21.0-bookworm-slim` */
  from: string;
  instructions: Instruction[];
}

/** Reads a Dockerfile. What it does not know it hands on; whoever runs the stages refuses it. */
export function parseDockerfile(text: string): Stage[] {
  const stages: Stage[] = [];
  for (const instruction of instructionsOf(text)) {
    if (instruction.name === "FROM") {
      const [from = "", , name] = instruction.text.split(/\s+/);
      stages.push({ name, from, instructions: [] });
    } else {
      const stage = stages.at(-1);
      if (stage === undefined) throw new Error(`${instruction.name} stands before the first FROM`);
      stage.instructions.push(instruction);
    }
  }
  return stages;
}

function instructionsOf(text: string): Instruction[] {
  const lines = text.split("\n").filter((line) => !/^\s*(#|$)/.test(line));
  return lines
    .join("\n")
    .replaceAll(/\\\n\s*/g, "")
    .split("\n")
    .map((line) => {
      const [, name = "", rest = ""] = /^(\w+)\s+(.*)$/.exec(line) ?? [];
      const [flags = ""] = /^(--[\w-]+=\S+\s+)*/.exec(rest) ?? [];
      const pairs = [...flags.matchAll(/--([\w-]+)=(\S+)/g)].map(([, key = "", value = ""]) => [key, value]);
      return { name, flags: Object.fromEntries(pairs), text: rest.slice(flags.length) };
    });
}

/** The pairs of `ENV` and `LABEL`. */
export function pairsOf({ text }: Instruction): Record<string, string> {
  const pairs = [...text.matchAll(/([\w.-]+)=(?:"([^"]*)"|(\S+))/g)];
  return Object.fromEntries(pairs.map(([, key, quoted, plain]) => [key, quoted ?? plain]));
}

/** The words of an instruction in its JSON form, which is run without a shell. */
export function wordsOf(text: string): string[] {
  const words: unknown = JSON.parse(text);
  if (!Array.isArray(words)) throw new Error(`${text} is not in JSON's form`);
  return words.map(String);
}
