import { expect, it } from "vitest";
import { createCliWorkspace } from "../support/cli-workspace.ts";

it.each([
  [
    ["help", "bogus"],
    /^nerif: Cannot help with "bogus": it must be one of run, serve, worker, validate, batches, .*\n$/,
  ],
  [
    ["help", "batches", "bogus"],
    /^nerif: Cannot help with "bogus": it must be one of create, list, get, .*\n$/,
  ],
  [
    ["batches", "help", "bogus"],
    /^nerif: Cannot help with "bogus": it must be one of create, list, get, .*\n$/,
  ],
  [["help", "run", "bogus"], /^nerif: Cannot help with "bogus": run has no commands of its own\n$/],
])("nerif %s names what there is no help for", async (args, message) => {
  await using work = await createCliWorkspace();
  expect(await work.run(args)).toMatchObject({ code: 2, stdout: "", stderr: expect.stringMatching(message) });
});

it.each([
  [["help"], /^Usage: nerif \[options\] \[command\]\n/],
  [["help", "run"], /^Usage: nerif run \[options\] <input>\n/],
  [["help", "batches", "create"], /^Usage: nerif batches create \[options\] <input>\n/],
  [["batches", "help", "create"], /^Usage: nerif batches create \[options\] <input>\n/],
  [["batches", "help"], /^Usage: nerif batches \[options\] \[command\]\n/],
])("nerif %s shows the help that was asked for", async (args, usage) => {
  await using work = await createCliWorkspace();
  expect(await work.run(args)).toMatchObject({ code: 0, stdout: expect.stringMatching(usage), stderr: "" });
});

it("a file may be called help", async () => {
  await using work = await createCliWorkspace();
  expect((await work.run(["validate", "help"])).stderr).toMatch(
    /^nerif: Cannot read help: it does not exist/,
  );
});
