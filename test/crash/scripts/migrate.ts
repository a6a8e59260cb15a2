import { cpSync, mkdirSync, realpathSync, rmSync } from "node:fs";
import { join } from "node:path";
import { startCli } from "../../support/cli-process.ts";
import type { Script } from "../points.ts";

const fixture = join(import.meta.dirname, "../../fixtures/data-v1");

/** What is in the fixture and has ended. */
const ended = ["batch_6b07c740fd1a806e822cc87730d71347", "batch_6b07c740818e092ee93bfd74017abeb1"];

/** The first look of this Nerif at a directory with the oldest schema, which it migrates. */
export const migrateScript: Script = {
  name: "migrate",
  does: "the migration of a data directory with the first schema",
  async prepare({ directory }) {
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory, { recursive: true });
    const cwd = realpathSync(directory);
    cpSync(fixture, join(cwd, "data"), { recursive: true });
    const list = (env: Record<string, string> = {}) =>
      startCli(["batches", "list", "--json"], { cwd, env, group: true }).ended;
    return {
      directory: cwd,
      play: list,
      async finish() {
        const violations: string[] = [];
        const { code, stdout, stderr } = await list();
        const found = stdout.split("\n").filter((line) => line !== "").length;
        if (code !== 0 || found !== 3)
          violations.push(`I2 ${found} of 3 batches are there: ${stderr.slice(-300)}`);
        for (const id of ended) {
          const verified = await startCli(["verify", id], { cwd }).ended;
          if (verified.code !== 0) violations.push(`I3 ${verified.stdout}${verified.stderr}`);
        }
        return { violations, repeats: 0 };
      },
      remove: () => rmSync(cwd, { recursive: true, force: true }),
    };
  },
};
