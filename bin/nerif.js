#!/usr/bin/env node
// Old, plain JavaScript: even a Node that cannot run Nerif must get as far as saying so.

const floor = [22, 19];
const version = process.versions.node.split(".").map(Number);

if (version[0] < floor[0] || (version[0] === floor[0] && version[1] < floor[1])) {
  process.stderr.write(
    `nerif: Cannot run on Node ${process.versions.node}: it needs Node ${floor.join(".")} or newer\n`,
  );
  process.exitCode = 2;
} else {
  becomeSmaller();
  hideExperimentalWarnings();
  import("./compile-cache.js")
    .then(({ keepCompiled }) => keepCompiled())
    // A checkout runs from its sources, the published package from what was bundled of them.
    .then(() => import("node:fs"))
    .then((fs) => {
      const source = new URL("../src/cli.ts", import.meta.url);
      return import(
        (fs.existsSync(source) ? source : new URL("../dist/command/cli.js", import.meta.url)).href
      );
    })
    .then((cli) => cli.main(process.argv.slice(2)))
    .catch(report);
}

// V8 lets young objects pile up to about 100 MB between two collections, and old ones to several times what is alive,
// and can be told otherwise only when a process begins. So this process becomes one that was told; where that cannot
// be done it goes on as it is.
function becomeSmaller() {
  const isLong = ["run", "serve", "worker"].includes(process.argv[2]);
  if (!isLong || process.platform === "win32" || typeof process.execve !== "function") return;
  const given = `${process.execArgv.join(" ")} ${process.env.NODE_OPTIONS}`;
  if (given.includes("max-semi-space-size")) return;
  const flags = ["--max-semi-space-size=8", "--heap-growing-percent=50", ...process.execArgv];
  process.execve(process.execPath, [process.execPath, ...flags, ...process.argv.slice(1)], process.env);
}

// Node calls some of what Nerif is built on experimental, on stderr, where Nerif's own lines are read.
function hideExperimentalWarnings() {
  const emitWarning = process.emitWarning;
  process.emitWarning = (warning, ...rest) => {
    const type = typeof rest[0] === "object" && rest[0] !== null ? rest[0].type : rest[0];
    if (type !== "ExperimentalWarning" && warning.name !== "ExperimentalWarning") {
      emitWarning.call(process, warning, ...rest);
    }
  };
}

function report(reason) {
  process.stderr.write(`nerif: Cannot start: ${reason.message}\n`);
  if (process.env.NERIF_DEBUG) process.stderr.write(`${reason.stack}\n`);
  process.exitCode = 1;
}
