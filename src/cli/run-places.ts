import { constants } from "node:fs";
import { access, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { errnoOf, NerifError } from "../batch/errors.ts";

/** Where a run reads and writes. Paths are absolute and real: no symbolic link stands in them. */
export interface RunPlaces {
  /** Null: stdin. */
  input: string | null;
  /** Null: stdout. */
  output: string | null;
  /** Null: stdout. */
  errors: string | null;
}

interface Wanted {
  input: string;
  output: string | undefined;
  errors: string | undefined;
  cwd: string;
  /** False: nothing will be written, only read. Default true. */
  writes?: boolean;
}

/**
 * Finds out where a run reads and writes, and refuses what cannot be read, cannot be written or would overwrite
 * itself.
 *
 * @throws NerifError `invalid_usage` or `file_not_found`
 */
export async function findPlaces(wanted: Wanted): Promise<RunPlaces> {
  const input =
    wanted.input === "-" ? null : await inputPath(resolve(wanted.cwd, wanted.input), wanted.input);
  const { cwd, writes } = wanted;
  const output = await targetPath(outputName(wanted), { cwd, what: "the results", writes });
  const errors = await targetPath(errorsName(wanted), { cwd, what: "the failed lines", writes });
  await refuseSame(output, input, "the output is the input itself");
  await refuseSame(errors, input, "the file for failed lines is the input itself");
  await refuseSame(
    errors,
    output,
    "results and failed lines have the same path; for both in one place use -o -",
  );
  return { input, output, errors };
}

function outputName({ input, output }: Wanted): string {
  return output ?? (input === "-" ? "-" : withEnding(input, ".output.jsonl"));
}

function errorsName(wanted: Wanted): string {
  if (wanted.errors !== undefined) return wanted.errors;
  const output = outputName(wanted);
  if (output === "-") return "-";
  return withEnding(wanted.input === "-" ? output : wanted.input, ".errors.jsonl");
}

function withEnding(path: string, ending: string): string {
  return `${path.replace(/\.jsonl$/, "")}${ending}`;
}

/** The real path of a file that can be read. @throws NerifError `file_not_found`, `invalid_usage` */
export async function inputPath(path: string, given: string): Promise<string> {
  const refuse = (why: string, cause?: unknown) =>
    new NerifError(
      errnoOf(cause) === "ENOENT" ? "file_not_found" : "invalid_usage",
      `Cannot read ${given}: ${why}`,
      {
        param: "input",
        cause,
      },
    );
  try {
    const real = await realpath(path);
    const found = await stat(real);
    if (found.isDirectory()) throw refuse("it is a directory");
    if (!found.isFile()) throw refuse("it is not a regular file; to read a stream, give - and pipe it in");
    await access(real, constants.R_OK);
    return real;
  } catch (reason) {
    if (reason instanceof NerifError) throw reason;
    throw refuse(refusedWhy(reason), reason);
  }
}

/**
 * The real path that a file of results will have; `-` is null. Its directory has to be there already.
 *
 * @throws NerifError `invalid_usage`
 */
export async function targetPath(
  given: string,
  { cwd, what, writes = true }: { cwd: string; what: string; writes?: boolean | undefined },
): Promise<string | null> {
  if (given === "-") return null;
  const refuse = (why: string, cause?: unknown) =>
    new NerifError("invalid_usage", `Cannot write ${what} to ${given}: ${why}`, { param: "output", cause });
  const path = resolve(cwd, given);
  const target = await realpath(path).catch(() => null);
  if (target !== null) {
    const found = await stat(target);
    if (found.isDirectory()) throw refuse("it is a directory");
    // A rename would put a plain file in the place of a device or a pipe.
    if (!found.isFile()) throw refuse("it is not a regular file; for stdout give -");
  }
  const parent = dirname(target ?? path);
  try {
    const real = await realpath(parent);
    if (!(await stat(real)).isDirectory()) throw refuse(`${parent} is not a directory`);
    await access(real, writes ? constants.W_OK | constants.X_OK : constants.X_OK);
    return target ?? join(real, basename(path));
  } catch (reason) {
    if (reason instanceof NerifError) throw reason;
    throw refuse(`the directory ${parent}: ${refusedWhy(reason)}`, reason);
  }
}

async function refuseSame(path: string | null, other: string | null, why: string): Promise<void> {
  if (path === null || other === null) return;
  // Hard links, and file systems that do not tell a from A, give one file two paths.
  const [a, b] = await Promise.all(
    [path, other].map((name) => stat(name, { bigint: true }).catch(() => null)),
  );
  const sameFile = a !== null && b !== null && a?.ino === b?.ino && a?.dev === b?.dev;
  if (path === other || sameFile)
    throw new NerifError("invalid_usage", `Cannot write ${path}: ${why}`, { param: "output" });
}

function refusedWhy(reason: unknown): string {
  return whyNot(reason) ?? errnoOf(reason) ?? "it cannot be used";
}

/** What the file system says of a path that cannot be used, for people; null for anything else. */
export function whyNot(reason: unknown): string | null {
  switch (errnoOf(reason)) {
    case "ENOENT":
      return "it does not exist";
    case "EACCES":
    case "EPERM":
      return "permission denied";
    case "EROFS":
      return "the file system is read-only";
    case "ENOTDIR":
      return "a part of its path is not a directory";
    case "ENAMETOOLONG":
      return "the name is too long";
    case "ELOOP":
      return "its symbolic links go round in a circle";
    default:
      return null;
  }
}
