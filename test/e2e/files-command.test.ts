import { expect, it, onTestFinished } from "vitest";
import { createCliWorkspace, requestFile } from "../support/cli-workspace.ts";
import { startTestServer } from "../support/http-server.ts";

it.each(["the data directory", "a server"])(
  "nerif files lists page by page what was uploaded to %s",
  // Six processes one after another.
  { timeout: 60_000 },
  async (where) => {
    const work = await createCliWorkspace();
    onTestFinished(() => work[Symbol.asyncDispose]());
    const env: Record<string, string> = {};
    if (where === "a server") env.NERIF_SERVER = (await startTestServer()).url;
    const run = (...args: string[]) => work.run(["files", ...args], { env });
    work.write("a.jsonl", requestFile(1));
    work.write("b.jsonl", requestFile(2));
    const older = await run("upload", "a.jsonl", "--json");
    const newer = await run("upload", "b.jsonl", "--json");
    const { id } = JSON.parse(newer.stdout);
    expect(await run("list", "--limit", "1", "--json")).toMatchObject({ code: 0, stdout: newer.stdout });
    const first = await run("list", "--limit", "1");
    expect(first.stdout).toContain("b.jsonl");
    expect(first.stderr).toContain(`There are more: --after ${id}`);
    expect(await run("list", "--after", id, "--json")).toMatchObject({ code: 0, stdout: older.stdout });
  },
);
