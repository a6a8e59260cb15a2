/** A code block of a page and what the comment above it says shall become of it. */
export type Example = { code: string; line: number; language: string } & (
  | { kind: "run"; prints: string | null }
  | { kind: "serve" }
  | { kind: "file"; name: string }
  | { kind: "not run" }
);

/** Languages whose blocks a reader may copy and run; such a block needs a comment. */
const runnable = ["sh", "ts"];

/**
 * Finds the fenced blocks of a page. The line before a block may say, in an HTML comment that readers never see:
 *
 * - `example: run`, or `example: run, prints TEXT`: it must succeed, and print the text
 * - `example: serve`: it is started and left running for the blocks below
 * - `example: file NAME`: it is the content of that file
 * - `example: not run, REASON`
 *
 * @throws Error when a block that a reader would run has no such comment: it would rot unseen
 */
export function examplesOf(markdown: string): Example[] {
  const lines = markdown.split("\n");
  const examples: Example[] = [];
  for (let index = 0; index < lines.length; index++) {
    const language = /^```(\w*)$/.exec(lines[index] ?? "")?.[1];
    if (language === undefined) continue;
    const end = lines.indexOf("```", index + 1);
    if (end === -1) throw new Error(`the block of line ${index + 1} has no end`);
    const note = /^<!-- example: (.*) -->$/.exec(lines[index - 1] ?? "")?.[1];
    const base = { code: `${lines.slice(index + 1, end).join("\n")}\n`, line: index + 1, language };
    const example = read(note, base);
    if (example !== null) examples.push(example);
    index = end;
  }
  return examples;
}

function read(
  note: string | undefined,
  base: { code: string; line: number; language: string },
): Example | null {
  if (note === undefined) {
    if (!runnable.includes(base.language)) return null;
    throw new Error(`the block of line ${base.line} needs a comment above it, such as <!-- example: run -->`);
  }
  const run = /^run(?:, prints (.+))?$/.exec(note);
  if (run !== null) return { ...base, kind: "run", prints: run[1] ?? null };
  if (note === "serve") return { ...base, kind: "serve" };
  if (/^not run, ./.test(note)) return { ...base, kind: "not run" };
  const name = /^file ([\w.-]+)$/.exec(note)?.[1];
  if (name !== undefined) return { ...base, kind: "file", name };
  throw new Error(`the comment above line ${base.line} says "${note}", which means nothing here`);
}
