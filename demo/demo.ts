import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { createInterface } from "node:readline";

const root = join(import.meta.dirname, "..");
const out = join(root, "demo/out");
const input = join(out, "sentences.jsonl");
const output = join(out, "sentences.output.jsonl");
const model = "use-lite-en";
const question = process.argv.slice(2).join(" ") || "Nobody can please everyone.";

const sentences = readFileSync(join(root, "demo/sentences.txt"), "utf8").trim().split("\n");
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
writeFileSync(input, sentences.map((text, index) => requestLine(`sentence-${index + 1}`, text)).join(""));

console.log(`Starting a model server with a small English embedding model ...`);
const server = spawn(process.execPath, [join(root, "demo/model-server.ts")], {
  stdio: ["pipe", "pipe", "inherit"],
});
try {
  const upstream = await firstLine(server);
  const command = ["run", input, "--upstream", upstream, "--data-dir", join(out, "data")];
  console.log(`It listens on ${upstream}. Running ${sentences.length} requests through it:\n`);
  console.log(`$ nerif ${command.map(shown).join(" ")}`);
  const status = await run(command);
  if (status !== 0) throw new Error(`nerif run ended with status ${status}`);
  const vectors = readResults();
  console.log(
    `\n${relative(root, input)} held ${sentences.length} requests, one JSON object a line, such as`,
  );
  console.log(`  ${requestLine("sentence-1", `${sentences[0]?.slice(0, 40)}...`).trim()}`);
  console.log(
    `${shown(output)} holds as many answers in the same order, ${vectors[0]?.length} numbers each.`,
  );
  console.log(`\nWhich sentences mean nearly the same as "${question}"?\n`);
  for (const { text, likeness } of neighbours(vectors, await embed(upstream, question))) {
    console.log(`  ${likeness.toFixed(2)}  ${text}`);
  }
  console.log(`\nAsk for another one: npm run demo -- "A crow finds something to drink."`);
} finally {
  server.stdin?.end();
}

function requestLine(customId: string, text: string): string {
  const body = { model, input: text };
  return `${JSON.stringify({ custom_id: customId, method: "POST", url: "/v1/embeddings", body })}\n`;
}

async function firstLine(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error("The model server has no output");
  for await (const line of createInterface({ input: child.stdout })) return line;
  throw new Error("The model server ended before it listened");
}

/** Paths as a reader would type them in this directory. */
function shown(argument: string): string {
  return argument.startsWith(root) ? relative(root, argument) : argument;
}

async function run(command: string[]): Promise<number> {
  const child = spawn(process.execPath, [join(root, "bin/nerif.js"), ...command.map(shown)], {
    cwd: root,
    stdio: "inherit",
  });
  const [status] = (await once(child, "exit")) as [number | null];
  return status ?? 1;
}

function readResults(): number[][] {
  return readFileSync(output, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).response.body.data[0].embedding);
}

async function embed(upstream: string, text: string): Promise<number[]> {
  const response = await fetch(`${upstream}/embeddings`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model, input: text }),
  });
  const answer = (await response.json()) as { data: [{ embedding: number[] }] };
  return answer.data[0].embedding;
}

/** The five sentences whose vectors point most nearly the same way; the model's vectors all have length 1. */
function neighbours(vectors: number[][], target: number[]): { text: string; likeness: number }[] {
  return vectors
    .map((vector, index) => ({
      text: sentences[index] ?? "",
      likeness: vector.reduce((sum, value, axis) => sum + value * (target[axis] ?? 0), 0),
    }))
    .sort((a, b) => b.likeness - a.likeness)
    .slice(0, 5);
}
