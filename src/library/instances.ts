import { existsSync } from "node:fs";
import { join } from "node:path";
import { type ErrorCode, NerifError } from "../batch/errors.ts";
import { resolveDataDir } from "../compose.ts";
import { createNerif, type Nerif } from "./nerif.ts";

/** The instances behind `Batch` and `BatchFile`: one for each data directory in this process. */
const instances = new Map<string, Nerif>();
/** Directories that a `BatchFile` was opened on, the latest last. */
const opened = new Set<string>();

/** The instance of a directory that a `BatchFile` is opened on; from now on `Batch` looks there, and there first. */
export function openInstance(filePath?: string): Nerif {
  const directory = resolveDataDir(filePath);
  opened.delete(directory);
  opened.add(directory);
  return instanceOf(directory);
}

/** The directories that a list goes through: those that were opened, the latest first, else the default one. */
export function listedInstances(): Nerif[] {
  const directories = opened.size > 0 ? [...opened].reverse() : [resolveDataDir(undefined)];
  return directories.map(instanceOf);
}

/**
 * The instance that has what `look` looks for, among the directories that were opened and then the default one; the
 * first of them when none has it, whose answer is then the answer.
 */
export async function instanceWith(look: (nerif: Nerif) => Promise<unknown>): Promise<Nerif> {
  const [first, ...others] = searchedInstances();
  if (first === undefined) return openInstance();
  if (others.length === 0) return first;
  for (const nerif of [first, ...others]) if (await has(nerif, look)) return nerif;
  return first;
}

async function has(nerif: Nerif, look: (nerif: Nerif) => Promise<unknown>): Promise<boolean> {
  try {
    await look(nerif);
    return true;
  } catch (reason) {
    if (reason instanceof NerifError && unknown.includes(reason.code)) return false;
    throw reason;
  }
}

const unknown: readonly ErrorCode[] = ["file_not_found", "batch_not_found"];

function searchedInstances(): Nerif[] {
  const fallback = resolveDataDir(undefined);
  const listed = listedInstances();
  // Looking for an id must not create a directory that nobody uses.
  const isUsed = !opened.has(fallback) && opened.size > 0 && existsSync(join(fallback, "nerif.db"));
  return isUsed ? [...listed, instanceOf(fallback)] : listed;
}

function instanceOf(directory: string): Nerif {
  const known = instances.get(directory);
  if (known !== undefined) return known;
  const nerif = createNerif({ dataDir: directory });
  instances.set(directory, nerif);
  return nerif;
}
