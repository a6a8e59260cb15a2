import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { findPlaces } from "./run-places.ts";

/** A disk that can only be read, also by root. */
const disk = vi.hoisted(() => ({ readOnly: false }));
vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  const access: typeof real.access = async (path, mode = 0) => {
    if (disk.readOnly && (mode & real.constants.W_OK) !== 0)
      throw Object.assign(new Error("EROFS"), { code: "EROFS" });
    await real.access(path, mode);
  };
  return { ...real, access };
});

let cwd: string;
beforeEach(() => {
  cwd = realpathSync(mkdtempSync(join(tmpdir(), "nerif-places-")));
  writeFileSync(join(cwd, "in.jsonl"), "{}\n");
});
afterEach(() => {
  rmSync(cwd, { recursive: true });
});

function places(input: string, output?: string, errors?: string) {
  return findPlaces({ input, output, errors, cwd });
}

describe("findPlaces()", () => {
  it("names results and failed lines after the input", async () => {
    expect(await places("in.jsonl")).toEqual({
      input: join(cwd, "in.jsonl"),
      output: join(cwd, "in.output.jsonl"),
      errors: join(cwd, "in.errors.jsonl"),
    });
  });

  it("appends to an input of another ending", async () => {
    writeFileSync(join(cwd, "requests.txt"), "{}\n");
    expect((await places("requests.txt")).output).toBe(join(cwd, "requests.txt.output.jsonl"));
  });

  it("goes to stdout when it comes from stdin, failed lines too", async () => {
    expect(await places("-")).toEqual({ input: null, output: null, errors: null });
  });

  it("names the failed lines of stdin after the output", async () => {
    expect(await places("-", "out.jsonl")).toEqual({
      input: null,
      output: join(cwd, "out.jsonl"),
      errors: join(cwd, "out.errors.jsonl"),
    });
  });

  it("merges failed lines into stdout unless they have a file", async () => {
    expect(await places("in.jsonl", "-")).toMatchObject({ output: null, errors: null });
    expect(await places("in.jsonl", "-", "bad.jsonl")).toMatchObject({
      output: null,
      errors: join(cwd, "bad.jsonl"),
    });
  });

  it("follows symbolic links, so that one file has one name", async () => {
    mkdirSync(join(cwd, "real"));
    writeFileSync(join(cwd, "real/out.jsonl"), "");
    symlinkSync(join(cwd, "real"), join(cwd, "link"));
    symlinkSync(join(cwd, "real/out.jsonl"), join(cwd, "out-link.jsonl"));
    expect((await places("in.jsonl", "link/new.jsonl")).output).toBe(join(cwd, "real/new.jsonl"));
    expect((await places("in.jsonl", "out-link.jsonl")).output).toBe(join(cwd, "real/out.jsonl"));
  });

  it.each([
    ["gone.jsonl", /Cannot read gone\.jsonl: it does not exist/],
    [".", /Cannot read \.: it is a directory/],
    ["pipe", /Cannot read pipe: it is not a regular file; to read a stream, give -/],
    ["loop", /Cannot read loop: its symbolic links go round in a circle/],
    ["in.jsonl/x", /a part of its path is not a directory/],
  ])("refuses the input %s", async (input, message) => {
    execFileSync("mkfifo", [join(cwd, "pipe")]);
    symlinkSync(join(cwd, "loop"), join(cwd, "loop"));
    await expect(places(input)).rejects.toThrow(message);
  });

  it.each([
    ["no/such/out.jsonl", /the directory .*no\/such: it does not exist/],
    [".", /Cannot write the results to \.: it is a directory/],
    ["/dev/null", /it is not a regular file; for stdout give -/],
    ["in.jsonl/out.jsonl", /in\.jsonl is not a directory/],
    ["in.jsonl", /the output is the input itself/],
    ["hard.jsonl", /the output is the input itself/],
    ["soft.jsonl", /the output is the input itself/],
    ["in.errors.jsonl", /results and failed lines have the same path/],
  ])("refuses the output %s", async (output, message) => {
    linkSync(join(cwd, "in.jsonl"), join(cwd, "hard.jsonl"));
    symlinkSync(join(cwd, "in.jsonl"), join(cwd, "soft.jsonl"));
    await expect(places("in.jsonl", output)).rejects.toThrow(message);
  });

  it("refuses a directory that cannot be written, unless nothing will be", async () => {
    disk.readOnly = true;
    onTestFinished(() => {
      disk.readOnly = false;
    });
    await expect(places("in.jsonl")).rejects.toThrow(
      /Cannot write the results to in\.output\.jsonl: the directory .*: the file system is read-only/,
    );
    expect(
      await findPlaces({ input: "in.jsonl", output: undefined, errors: undefined, cwd, writes: false }),
    ).toEqual({
      input: join(cwd, "in.jsonl"),
      output: join(cwd, "in.output.jsonl"),
      errors: join(cwd, "in.errors.jsonl"),
    });
  });

  it("refuses to write the failed lines over the input", async () => {
    await expect(places("in.jsonl", "out.jsonl", "in.jsonl")).rejects.toThrow(/is the input itself/);
  });
});
