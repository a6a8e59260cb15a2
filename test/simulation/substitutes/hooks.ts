import { registerHooks } from "node:module";
import type { Mutation } from "./mutations.ts";

const sources = new URL("../../../src/", import.meta.url).href;
const substitutes = new Map([
  ["node:fs", new URL("./fs.ts", import.meta.url).href],
  ["node:fs/promises", new URL("./fs-promises.ts", import.meta.url).href],
  ["node:crypto", new URL("./crypto.ts", import.meta.url).href],
]);

/**
 * Gives the program's own sources the file system and the chance of the world when they ask for Node's. To be
 * called before any of them is loaded; it holds for the whole process.
 * @param mutation what is to be broken in them
 */
export function substituteModules(mutation: Mutation | null): void {
  const mutated = mutation === null ? null : new URL(mutation.file, sources).href;
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context);
      if (mutation === null || url !== mutated) return loaded;
      const parts = String(loaded.source).split(mutation.find);
      if (parts.length !== 2)
        throw new Error(`Cannot break ${mutation.file}: the text is there ${parts.length - 1} times`);
      return { ...loaded, source: parts.join(mutation.replace) };
    },
    resolve(specifier, context, next) {
      const substitute = context.parentURL?.startsWith(sources) ? substitutes.get(specifier) : undefined;
      return substitute === undefined ? next(specifier, context) : { url: substitute, shortCircuit: true };
    },
  });
}
