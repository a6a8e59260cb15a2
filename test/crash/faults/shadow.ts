import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Takes all that is below `root` for durable: the state of the disk when a process is started. */
export function beginShadow(root: string, shadow: string): void {
  rmSync(shadow, { recursive: true, force: true });
  mkdirSync(shadow, { recursive: true });
  note(root);

  function note(directory: string): void {
    const lines: string[] = [];
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      const path = join(directory, entry.name);
      const { ino } = statSync(path);
      lines.push(`${entry.isDirectory() ? "d" : "f"} ${ino} ${entry.name}\n`);
      if (entry.isDirectory()) note(path);
      else writeFileSync(join(shadow, `f${ino}`), readFileSync(path));
    }
    writeFileSync(join(shadow, `d${statSync(directory).ino}`), lines.join(""));
  }
}

/**
 * Puts a directory into the state in which a power cut may have left it.
 *
 * @param names `synced`: only names that were synced are there; `all`: the file system wrote every name, and only the
 *   bytes that were not synced are missing
 */
export function cutPower(root: string, shadow: string, names: "synced" | "all"): void {
  const rebuilt = `${root}.rebuilt`;
  rmSync(rebuilt, { recursive: true, force: true });
  rebuild(root, rebuilt, statSync(root).ino);
  rmSync(root, { recursive: true });
  renameSync(rebuilt, root);

  function rebuild(from: string | null, to: string, inode: number): void {
    mkdirSync(to);
    for (const { kind, inode: of, name } of namesIn(from, inode)) {
      const path = from === null ? null : join(from, name);
      if (kind === "d") rebuild(path, join(to, name), of);
      else writeFileSync(join(to, name), bytesIn(join(shadow, `f${of}`)), { mode: 0o600 });
    }
  }

  function namesIn(directory: string | null, inode: number): Name[] {
    if (names === "all" && directory !== null) {
      return readdirSync(directory, { withFileTypes: true }).map((entry) => ({
        kind: entry.isDirectory() ? "d" : "f",
        inode: statSync(join(directory, entry.name)).ino,
        name: entry.name,
      }));
    }
    const lines = bytesIn(join(shadow, `d${inode}`))
      .toString()
      .split("\n");
    return lines.filter((line) => line !== "").map(readName);
  }
}

interface Name {
  kind: "d" | "f";
  inode: number;
  name: string;
}

function readName(line: string): Name {
  const [, kind, inode, name] = /^([df]) (\d+) (.+)$/.exec(line) ?? [];
  return { kind: kind as Name["kind"], inode: Number(inode), name: name ?? "" };
}

/** What was never synced is empty. */
function bytesIn(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (reason) {
    if ((reason as NodeJS.ErrnoException).code === "ENOENT") return Buffer.alloc(0);
    throw reason;
  }
}
