import { registerHooks } from "node:module";

// Loaded with `--import` before a script that names the package: it gets this repository's sources, where somebody
// who installed Nerif, or ran `npm run build`, gets what was built of them.
registerHooks({
  resolve: (specifier, context, next) =>
    next(specifier === "nerif" ? new URL("../../src/index.ts", import.meta.url).href : specifier, context),
});
