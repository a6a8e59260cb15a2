import { registerHooks } from "node:module";

const sources = new URL("../../../src/", import.meta.url).href;
const substitutes = new Map([
  ["node:fs", new URL("./fs.ts", import.meta.url).href],
  ["node:fs/promises", new URL("./fs-promises.ts", import.meta.url).href],
  ["node:crypto", new URL("./crypto.ts", import.meta.url).href],
]);

/**
 * Gives the program's own sources the file system and the chance of the world when they ask for Node's. To be
 * called before any of them is loaded; it holds for the whole process.
 */
export function substituteModules(): void {
  registerHooks({
    resolve(specifier, context, next) {
      const substitute = context.parentURL?.startsWith(sources) ? substitutes.get(specifier) : undefined;
      return substitute === undefined ? next(specifier, context) : { url: substitute, shortCircuit: true };
    },
  });
}
