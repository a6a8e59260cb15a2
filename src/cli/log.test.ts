import { spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";

const program = `
  import { main } from ${JSON.stringify(join(import.meta.dirname, "program.ts"))};
  import { createLog } from ${JSON.stringify(join(import.meta.dirname, "log.ts"))};
  await main(["--version"]);
  const log = createLog("info");
  log.info("one");
  log.info("two");
  process.on("beforeExit", () => process.stdout.write("went on"));
`;

test.runIf(existsSync("/dev/full"))("a log that cannot be written ends nothing", () => {
  const full = openSync("/dev/full", "w");
  onTestFinished(() => closeSync(full));
  const { status, stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", full],
    encoding: "utf8",
  });
  expect([status, stdout]).toEqual([0, expect.stringMatching(/went on$/)]);
});
