import { lstatSync, mkdirSync } from "node:fs";
import * as module from "node:module";
import { homedir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";

/** When it is written, in milliseconds after the start, beside the end of the process: a server may end by a kill. */
const writeMs = [1_000, 3_000, 10_000];

/**
 * Keeps what V8 has compiled for the next start, of which compiling is a large part. NODE_DISABLE_COMPILE_CACHE turns
 * it off, and NODE_COMPILE_CACHE puts it elsewhere. @see decisions/022-start.md
 */
export function keepCompiled() {
  try {
    const directory = process.env.NODE_COMPILE_CACHE ? undefined : makeDirectory();
    if (directory === null) return;
    module.enableCompileCache(directory);
    for (const ms of writeMs) setTimeout(() => module.flushCompileCache(), ms).unref();
  } catch {
    // It serves speed alone: without a home, or on a disk that is full or read-only, Nerif starts as it did before.
  }
}

/** Null where somebody else could put something there, since what lies there is executed. */
function makeDirectory() {
  const directory = join(cacheDirectory(), "nerif");
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  return isOurs(directory) && isOurs(dirname(directory)) ? directory : null;
}

function cacheDirectory() {
  const { LOCALAPPDATA, XDG_CACHE_HOME } = process.env;
  if (process.platform === "win32") return LOCALAPPDATA || join(homedir(), "AppData", "Local");
  if (process.platform === "darwin") return join(homedir(), "Library", "Caches");
  return XDG_CACHE_HOME && isAbsolute(XDG_CACHE_HOME) ? XDG_CACHE_HOME : join(homedir(), ".cache");
}

/** Under `sudo` the home may be another user's. Windows keeps such directories to their user by itself. */
function isOurs(directory) {
  if (process.platform === "win32") return true;
  const { mode, uid } = lstatSync(directory);
  return (mode & 0o170000) === 0o040000 && uid === process.geteuid() && (mode & 0o022) === 0;
}
