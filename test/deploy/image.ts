import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { basename, isAbsolute, join, matchesGlob, relative } from "node:path";
import { type Instruction, pairsOf, parseDockerfile, type Stage, wordsOf } from "./dockerfile.ts";
import { prepareRoot, runInSandbox, type Sandboxed } from "./sandbox.ts";

/** What a build leaves: a root directory, and how a container of it starts. */
export interface Image {
  root: string;
  from: string;
  env: Record<string, string>;
  labels: Record<string, string>;
  user: string;
  workdir: string;
  volumes: string[];
  entrypoint: string[];
  command: string[];
  healthcheck: string[];
}

/**
 * Runs the instructions of a Dockerfile without a container engine: each stage is a root directory, in which its `RUN`
 * lines are executed. An instruction that is not known is refused, so that none is passed over.
 */
export async function buildImage({ dockerfile, context }: { dockerfile: string; context: string }) {
  const directory = mkdtempSync(join(tmpdir(), "nerif-image-"));
  const built = new Map<string, Image>();
  let image: Image | undefined;
  try {
    for (const [nth, stage] of parseDockerfile(readFileSync(dockerfile, "utf8")).entries()) {
      image = await buildStage(stage, { root: join(directory, String(nth)), context, built });
      built.set(stage.name ?? String(nth), image);
    }
  } catch (reason) {
    rmSync(directory, { recursive: true, force: true });
    throw reason;
  }
  if (image === undefined) throw new Error(`${dockerfile} has no stage`);
  const remove = () => rmSync(directory, { recursive: true, force: true });
  return { ...image, remove };
}

/** Starts a container of it, with a root directory that cannot be written. */
export function runImage(
  image: Image,
  {
    command,
    entrypoint,
    env = {},
  }: { command?: string[]; entrypoint?: string[]; env?: Record<string, string> },
): Sandboxed {
  const { root, user, workdir, volumes } = image;
  const argv = [...(entrypoint ?? image.entrypoint), ...(command ?? (entrypoint ? [] : image.command))];
  const all = { HOME: "/home/node", ...image.env, ...env };
  return runInSandbox({ root, argv, user, workdir, env: all, writable: [...volumes, "/tmp"] });
}

interface Build {
  root: string;
  context: string;
  built: ReadonlyMap<string, Image>;
}

async function buildStage(stage: Stage, build: Build): Promise<Image> {
  const start = { env: {}, labels: {}, user: "0:0", workdir: "/", volumes: [], entrypoint: [], command: [] };
  const image: Image = { ...start, root: build.root, from: stage.from, healthcheck: [] };
  mkdirSync(build.root);
  prepareRoot(build.root);
  for (const instruction of stage.instructions) {
    const carryOut = instructions[instruction.name];
    if (carryOut === undefined) throw new Error(`${instruction.name} is not known here`);
    await carryOut(instruction, { ...build, image });
  }
  return image;
}

type CarryOut = (instruction: Instruction, build: Build & { image: Image }) => void | Promise<void>;

const instructions: Record<string, CarryOut> = {
  COPY: copy,
  RUN: run,
  WORKDIR: ({ text }, { image }) => {
    image.workdir = text;
    mkdirSync(join(image.root, text), { recursive: true });
  },
  ENV: (instruction, { image }) => void Object.assign(image.env, pairsOf(instruction)),
  LABEL: (instruction, { image }) => void Object.assign(image.labels, pairsOf(instruction)),
  VOLUME: ({ text }, { image }) => void image.volumes.push(text),
  EXPOSE: () => {},
  USER: ({ text }, { image }) => {
    image.user = text;
  },
  HEALTHCHECK: ({ text }, { image }) => {
    image.healthcheck = wordsOf(text.replace(/^CMD\s+/, ""));
  },
  ENTRYPOINT: ({ text }, { image }) => {
    image.entrypoint = wordsOf(text);
  },
  CMD: ({ text }, { image }) => {
    image.command = wordsOf(text);
  },
};

/** Directories are copied with what is in them, not by name; names are kept where the target is a directory. */
function copy({ text, flags }: Instruction, { image, context, built }: Build & { image: Image }): void {
  const words = text.split(/\s+/);
  const target = words.pop() ?? "";
  const from = flags.from === undefined ? undefined : built.get(flags.from);
  if (flags.from !== undefined && from === undefined) throw new Error(`There is no stage ${flags.from}`);
  const place = join(image.root, isAbsolute(target) ? target : join(image.workdir, target));
  for (const word of words) {
    const source = join(from?.root ?? context, word);
    const isFile = statSync(source).isFile();
    const isInto = target.endsWith("/") || target === "." || words.length > 1;
    cpSync(source, isFile && isInto ? join(place, basename(word)) : place, {
      recursive: true,
      verbatimSymlinks: true,
      filter: (path) => from !== undefined || !isIgnored(relative(context, path), context),
    });
  }
}

/** The last line of `.dockerignore` that fits a path, or what it lies in, decides. */
function isIgnored(path: string, context: string): boolean {
  const lines = readFileSync(join(context, ".dockerignore"), "utf8").split("\n");
  let ignored = false;
  for (const line of lines.filter((each) => each !== "" && !each.startsWith("#"))) {
    const isException = line.startsWith("!");
    const pattern = isException ? line.slice(1) : line;
    const parents = path.split("/").map((_, nth, parts) => parts.slice(0, nth + 1).join("/"));
    if (parents.some((parent) => matchesGlob(parent, pattern))) ignored = !isException;
    // A directory is walked for the sake of what is in it.
    else if (isException && pattern.startsWith(`${path}/`)) ignored = false;
  }
  return ignored;
}

/** With the registry and the cache of whoever runs the test. */
async function run({ text }: Instruction, { image }: Build & { image: Image }): Promise<void> {
  const ofNpm = Object.entries(process.env).filter(([name]) =>
    /^npm_config_|_proxy$|^NODE_EXTRA_CA/i.test(name),
  );
  const { code, output } = await runInSandbox({
    root: image.root,
    argv: ["/bin/sh", "-c", text],
    env: {
      ...Object.fromEntries(ofNpm.map(([name, value = ""]) => [name, value])),
      ...{ HOME: "/root", npm_config_prefer_offline: "true", ...image.env },
    },
    workdir: image.workdir,
    user: image.user,
    binds: [[homedir(), "/root"]],
  }).ended;
  if (code !== 0) throw new Error(`RUN ${text} ended with ${code}:\n${output}`);
}
