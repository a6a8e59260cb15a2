import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

/** Null where a root directory of one's own can be had; else why the tests that need one are skipped. */
export const withoutSandbox = reasonToSkip();

function reasonToSkip(): string | null {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "skipped: it needs Linux, and root";
  try {
    execFileSync("unshare", ["--mount", "--pid", "--fork", "mount", "--make-rprivate", "/"], {
      stdio: "ignore",
    });
    return null;
  } catch {
    return "skipped: this machine gives no namespaces of one's own";
  }
}

export interface SandboxOptions {
  /** Directory that becomes `/`. */
  root: string;
  argv: readonly string[];
  env: Record<string, string>;
  workdir: string;
  /** `uid:gid`; those of root are left all rights. */
  user: string;
  /** Paths that can be written though the root cannot; undefined: all of it can be. */
  writable?: readonly string[];
  /** More of this machine, as [path here, path there]. */
  binds?: readonly (readonly [string, string])[];
}

export interface Sandboxed {
  /** Of the process that is number 1 in there. */
  pid(): Promise<number>;
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; output: string }>;
  /** Resolves when what it has printed matches. Rejects when it ends before. */
  printed(pattern: RegExp): Promise<void>;
  kill(signal: NodeJS.Signals): Promise<void>;
}

/**
 * Runs a program as a container engine would: as process 1 of namespaces of its own, on its own root directory, without
 * rights. What would be the base image's is this machine's: `/usr` and `/etc`, read-only, with this project's Node.
 * The network is this machine's too.
 */
export function runInSandbox({
  root,
  argv,
  env,
  workdir,
  user,
  writable,
  binds = [],
}: SandboxOptions): Sandboxed {
  const npm = dirname(dirname(realpathSync(execFileSync("which", ["npm"], { encoding: "utf8" }).trim())));
  const mounts = [
    ...systemDirectories.map((name) => bind(`/${name}`, `/${name}`, "ro")),
    bind(join(root, ".local"), "/usr/local"),
    bind(process.execPath, "/usr/local/bin/node", "ro"),
    bind(npm, "/usr/local/lib/node_modules/npm", "ro"),
    'mount -t proc proc "$ROOT/proc"',
    'mount --rbind /dev "$ROOT/dev"',
    ...binds.map(([here, there]) => bind(here, there)),
    ...(writable ?? []).map((path) => bind(join(root, path), path)),
    ...(writable === undefined
      ? []
      : ['mount -o remount,bind,ro "$ROOT/usr/local"', 'mount -o remount,bind,ro "$ROOT"']),
  ];
  const script = [
    "set -e",
    "mount --make-rprivate /",
    'mount --bind "$ROOT" "$ROOT"',
    ...mounts,
    'exec "$@"',
  ].join("\n");
  const [uid = "0", gid = "0"] = user.split(":");
  const powerless = ["--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"];
  const drop = ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", ...powerless];
  const variables = Object.entries({ PATH: "/usr/local/bin:/usr/bin:/bin", ...env });
  const inside = [
    ...["chroot", root, "env", "-i", `--chdir=${workdir}`],
    ...variables.map(([name, value]) => `${name}=${value}`),
    ...(uid === "0" ? [] : drop),
    ...argv,
  ];
  const flags = ["--mount", "--pid", "--fork", "--kill-child=SIGKILL"];
  const child = spawn("unshare", [...flags, "bash", "-c", script, "sandbox", ...inside], {
    env: { PATH: process.env.PATH, ROOT: root },
    stdio: ["ignore", "pipe", "pipe"],
  });
  return watch(child);
}

function bind(here: string, there: string, mode: "ro" | "rw" = "rw"): string {
  const target = `"$ROOT${there}"`;
  const bound = `mount --rbind "${here}" ${target}`;
  return mode === "rw" ? bound : `${bound} && mount -o remount,bind,ro ${target}`;
}

function watch(child: ChildProcess): Sandboxed {
  let output = "";
  let look = () => {};
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      look();
    });
  }
  const ended = once(child, "close").then(([code, signal]) => ({ code, signal, output }));
  async function pid(): Promise<number> {
    const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8");
    const [first = ""] = children.trim().split(" ");
    // The number 0 would be our own process group.
    if (first === "") throw new Error("It has ended");
    return Number(first);
  }
  return {
    pid,
    ended,
    printed: (pattern) =>
      new Promise((resolve, reject) => {
        look = () => pattern.test(output) && resolve();
        look();
        ended.then(() => reject(new Error(`It ended without printing ${pattern}:\n${output}`)));
      }),
    kill: async (signal) => void process.kill(await pid(), signal),
  };
}

/** What a base image has: an empty root directory with the places where things are mounted. */
export function prepareRoot(root: string): void {
  for (const name of [...systemDirectories, "proc", "dev", "root", "opt", "home/node"]) {
    mkdirSync(join(root, name), { recursive: true });
  }
  mkdirSync(join(root, ".local/bin"), { recursive: true });
  mkdirSync(join(root, ".local/lib/node_modules/npm"), { recursive: true });
  writeFileSync(join(root, ".local/bin/node"), "");
  symlinkSync("../lib/node_modules/npm/bin/npm-cli.js", join(root, ".local/bin/npm"));
  mkdirSync(join(root, "tmp"));
  for (const [name, mode] of [
    ["", 0o755],
    ["tmp", 0o1777],
  ] as const)
    chmodSync(join(root, name), mode);
}

/** Of a processor that has no /lib64 it is not missed. */
const systemDirectories = ["usr", "lib", "lib64", "bin", "sbin", "etc"].filter((name) =>
  existsSync(`/${name}`),
);
