import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { runCli } from "../support/cli-process.ts";
import { createServer } from "./oracle/server.ts";
import { startWitness } from "./oracle/witness.ts";

vi.setConfig({ testTimeout: 60_000 });

const fixtures = join(import.meta.dirname, "../fixtures");
const versions = readdirSync(fixtures).filter((name) => /^data-v\d+$/.test(name));

/** Lines of the unfinished batch whose answers are in its journal already. */
const answered: Record<string, number> = { "data-v1": 16 };

test.each(versions)(
  "%s is taken over: what ended stays as it was, what was under way goes on",
  async (version) => {
    const directory = mkdtempSync(join(tmpdir(), "nerif-version-"));
    const witness = await startWitness({ directory });
    const server = createServer({ directory, upstream: witness.url, concurrency: 4 });
    try {
      cpSync(join(fixtures, version), join(directory, "data"), { recursive: true });
      expect(await server.start(), server.process().output().stderr).toBe(true);
      const list = await (await fetch(`${server.url()}/v1/batches`)).json();
      const [running, cancelled, done] = (list as { data: { id: string; status: string }[] }).data;
      expect(cancelled).toMatchObject({
        status: "cancelled",
        request_counts: { total: 30, completed: 7, failed: 4 },
        metadata: { made_by: expect.stringMatching(/^schema \d+$/) },
      });
      expect(done).toMatchObject({
        status: "completed",
        request_counts: { total: 10, completed: 8, failed: 2 },
      });

      const wait = await runCli(["batches", "wait", running?.id ?? "", "--server", server.url(), "--json"], {
        cwd: directory,
      });
      expect(JSON.parse(wait.stdout)).toMatchObject({ status: "completed", request_counts: { total: 40 } });
      expect(witness.calls()).toHaveLength(40 - (answered[version] ?? 0));
      expect(await server.stop()).toBe(0);
      for (const batch of [running, cancelled, done]) {
        const verified = await runCli(["verify", batch?.id ?? ""], { cwd: directory });
        expect(verified.code, verified.stdout).toBe(0);
      }
    } finally {
      await server.kill();
      await witness.stop();
      rmSync(directory, { recursive: true });
    }
  },
);
