import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { argv, exit } from "node:process";

/** Files that state an interface and implement nothing; every adapter and every user of one may name them. */
const ports = [
  "files/file-store.ts",
  "journal/journal.ts",
  "control/control-store.ts",
  "control/webhook-records.ts",
  "control/idempotency-records.ts",
  "control/insert-options.ts",
  "control/held-records.ts",
  "control/lease-records.ts",
  "control/noting-records.ts",
  "control/storage-records.ts",
  "control/upload-records.ts",
  "control/api-key-records.ts",
  "control/batch-count-records.ts",
  "upstreams/upstream.ts",
  "webhooks/sender.ts",
  "engine/engine.ts",
  "engine/clock.ts",
];

/**
 * Who may import whom: the table of ARCHITECTURE.md. A name with a slash at its end is a folder below `src/`,
 * any other a file. Every owner may import itself. The longest owner that fits a file speaks for it.
 */
const arrows: Record<string, readonly string[]> = {
  "": ["*"],
  "compose.ts": ["*"],
  "compose-s3.ts": ["batch/", "files/", "journal/", "s3/"],
  "cli/": ["compose.ts", "service/", "http/", "batch/", "disk/"],
  "cli/simulate.ts": ["cli/", "compose.ts", "service/", "http/", "batch/", "upstreams/simulator/"],
  "cli/validate.ts": ["cli/", "service/", "batch/", "files/disk.ts", "engine/settings.ts"],
  "library/": ["compose.ts", "service/", "batch/", "engine/settings.ts"],
  "http/": ["service/", "batch/"],
  "service/": ["engine/", "batch/", ...ports],
  "engine/": ["batch/", ...ports],
  "files/": ["batch/", "disk/", "s3/", ...ports],
  "journal/": ["batch/", "disk/", "s3/", ...ports],
  "control/": ["batch/", ...ports],
  "upstreams/": ["batch/", ...ports],
  "webhooks/": ["batch/", ...ports],
  "disk/": ["batch/"],
  "s3/": ["batch/"],
  "batch/": [],
};

/** The entries of `package.json#exports` and the command; nothing inside imports them. */
const doors = ["index.ts", "server.ts", "testing.ts", "cli.ts"];

export interface ImportProblem {
  file: string;
  rule: string;
}

/** Reads every source file below `src` (tests left out) and returns each import that turns an arrow round. */
export function checkImports(src: string): ImportProblem[] {
  const files = sourceFiles(src);
  const imports = new Map(files.map((file) => [file, importsOf(src, file)]));
  const problems: ImportProblem[] = [];
  for (const [file, found] of imports) {
    for (const { target } of found) {
      const rule = refusal(file, target);
      if (rule !== null) problems.push({ file, rule });
    }
  }
  return [...problems, ...cycles(imports)];
}

function sourceFiles(src: string): string[] {
  return readdirSync(src, { recursive: true, encoding: "utf8" })
    .map((path) => path.replaceAll("\\", "/"))
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"))
    .sort();
}

interface Import {
  /** Path below `src`, with `../` in front when it leaves it. */
  target: string;
  /** `import type` leaves nothing behind at run time, so it cannot close a cycle. */
  typeOnly: boolean;
}

const importing = /^(?:import|export)\s+(type\s)?(?:[\w\s{},*$]*?\bfrom\s*)?["'](\.[^"']+)["']/gm;
const importingLater = /\bimport\(\s*["'](\.[^"']+)["']\s*\)/g;

function importsOf(src: string, file: string): Import[] {
  const text = readFileSync(join(src, file), "utf8");
  const resolve = (specifier: string) => normalize(join(dirname(file), specifier)).replaceAll("\\", "/");
  const found: Import[] = [];
  for (const [, type, specifier = ""] of text.matchAll(importing)) {
    found.push({ target: resolve(specifier), typeOnly: type !== undefined });
  }
  for (const [, specifier = ""] of text.matchAll(importingLater)) {
    found.push({ target: resolve(specifier), typeOnly: false });
  }
  return found;
}

function refusal(file: string, target: string): string | null {
  if (target.startsWith("../")) return `imports ${target}: sources import nothing outside of src/`;
  if (target.endsWith(".test.ts")) return `imports ${target}: nothing imports a test`;
  const owner = ownerOf(file);
  const allowed = arrows[owner];
  if (allowed === undefined) return `is in no folder that scripts/check-imports.ts knows; add ${owner} there`;
  if (allowed.includes("*")) return null;
  if (doors.includes(target)) return `imports ${target}: a door is opened from outside only`;
  if ([owner, ...allowed].some((name) => (name.endsWith("/") ? target.startsWith(name) : target === name))) {
    return null;
  }
  return `imports ${target}: ${owner} may import ${[...new Set(allowed)].join(", ") || "nothing"}`;
}

function ownerOf(file: string): string {
  if (arrows[file] !== undefined) return file;
  const slash = file.indexOf("/");
  return slash === -1 ? "" : file.slice(0, slash + 1);
}

/** Depth-first search; a file that is met again on the way down closes a cycle, which is reported once. */
function cycles(imports: Map<string, Import[]>): ImportProblem[] {
  const problems: ImportProblem[] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string) => {
    if (done.has(file)) return;
    const start = path.indexOf(file);
    if (start !== -1) {
      problems.push({ file, rule: `closes a cycle: ${[...path.slice(start), file].join(" -> ")}` });
      return;
    }
    path.push(file);
    for (const { target, typeOnly } of imports.get(file) ?? []) if (!typeOnly) visit(target);
    path.pop();
    done.add(file);
  };
  for (const file of imports.keys()) visit(file);
  return problems;
}

if (import.meta.main) {
  const src = argv[2] ?? join(import.meta.dirname, "../src");
  const problems = checkImports(src);
  for (const { file, rule } of problems) console.error(`src/${file} ${rule}`);
  if (problems.length > 0) exit(1);
  console.log("Imports follow the arrows of ARCHITECTURE.md.");
}
