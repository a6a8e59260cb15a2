import { chmodSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  type CliWorkspace,
  createCliWorkspace,
  parseLines,
  requestFile,
  requestOf,
} from "../support/cli-workspace.ts";

const good = requestFile(2);
const deep = `${"[".repeat(200_000)}${"]".repeat(200_000)}`;
const repeated = JSON.stringify(requestOf("r0"));
const proto = JSON.stringify(requestOf("__proto__"));

/** What can be wrong with one line, and what is said of it. Each stands on a line of its own in one file. */
const badLines: [string, string | Buffer, RegExp][] = [
  ["is not JSON", "not json", /invalid_json_line/],
  ["is an array", "[]", /invalid_/],
  ["has a NUL", JSON.stringify(requestOf("n")).replace("Say", "Say\0"), /invalid_json_line/],
  ["has invalid UTF-8", Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), /invalid_json_line/],
  ["begins with a BOM", `\ufeff${JSON.stringify(requestOf("b"))}`, /invalid_json_line/],
  [
    "has 20 MB",
    JSON.stringify({ ...requestOf("l"), pad: "x".repeat(20_000_000) }),
    /line_too_large: .*10,?485,?760/,
  ],
  ["nests 200,000 deep", JSON.stringify(requestOf("d")).replace('"user":"d"', `"user":${deep}`), /invalid_/],
  ["repeats an id", repeated, /duplicate_custom_id/],
  ["repeats __proto__ as id", proto, /duplicate_custom_id/],
  [
    "lacks custom_id",
    '{"method":"POST","url":"/v1/embeddings","body":{"model":"m"}}',
    /missing_required_parameter: .*custom_id/,
  ],
  [
    "lacks a body",
    '{"custom_id":"a","method":"POST","url":"/v1/embeddings"}',
    /missing_required_parameter: .*body/,
  ],
  [
    "lacks a url",
    '{"custom_id":"u","method":"POST","body":{"model":"m"}}',
    /missing_required_parameter: .*url/,
  ],
  [
    "lacks a method",
    '{"custom_id":"p","url":"/v1/embeddings","body":{"model":"m"}}',
    /missing_required_parameter: .*method/,
  ],
  ["has an empty id", JSON.stringify(requestOf("")), /invalid_custom_id/],
  ["has a number as id", JSON.stringify({ ...requestOf("x"), custom_id: 7 }), /invalid_custom_id/],
  ["has another method", JSON.stringify({ ...requestOf("g"), method: "GET" }), /invalid_method/],
  ["has an unsupported url", JSON.stringify({ ...requestOf("i"), url: "/v1/images" }), /invalid_url/],
  [
    "streams",
    JSON.stringify({ ...requestOf("s"), body: { model: "m", stream: true } }),
    /streaming_unsupported/,
  ],
];

it("nerif validate counts all errors, also those that it does not name", async () => {
  await using work = await createCliWorkspace();
  work.write("in.jsonl", "x\n".repeat(1_500));
  const [people, programs] = await Promise.all([
    work.run(["validate", "in.jsonl"]),
    work.run(["validate", "in.jsonl", "--json"]),
  ]);
  expect(people).toMatchObject({ code: 2, stderr: "in.jsonl has 1,500 errors\n" });
  const events = parseLines(programs.stdout);
  expect(events).toHaveLength(1_000 + 1 + 1);
  expect(events.at(-1)).toEqual({ event: "validated", ok: false, total: null, errors: 1_500, exit_code: 2 });
});

describe("nerif run refuses a file", () => {
  it("whose lines are bad in every way there is, naming each; and so does nerif validate", async () => {
    await using work = await createCliWorkspace();
    const lines = badLines.map(([, line]) => Buffer.concat([Buffer.from(line), Buffer.from("\n")]));
    work.write("in.jsonl", Buffer.concat([Buffer.from(`${good}${proto}\n`), ...lines]));
    const [run, validate] = await Promise.all([
      work.run(["run", "in.jsonl"]),
      work.run(["validate", "in.jsonl"]),
    ]);
    for (const said of [run.stderr, validate.stdout]) {
      const found = said.split("\n");
      badLines.forEach(([name, , message], index) => {
        const line = found.find((text) => text.startsWith(`line ${index + 4}: `));
        expect(line, name).toMatch(message);
      });
      expect(said).not.toMatch(/^line [123]:/m);
    }
    expect(run.stderr).toMatch(/nerif: Cannot run .*in\.jsonl: .*nothing was sent/);
    expect([run.code, validate.code]).toEqual([2, 2]);
    expectUntouched(work);
  });

  it.each([
    ["that is empty", ""],
    ["of blank lines only", "\n \r\n\n"],
  ])("%s", async (_name, content) => {
    await using work = await createCliWorkspace();
    work.write("in.jsonl", content);
    const result = await work.run(["run", "in.jsonl"]);
    expect(result.stderr).toMatch(/empty_file/);
    expect(result.code).toBe(2);
    expectUntouched(work);
  });

  it("until its bad lines are mended", async () => {
    await using work = await createCliWorkspace();
    work.write(
      "in.jsonl",
      requestFile(10, (request, index) => (index % 2 === 1 ? { ...request, method: "PUT" } : request)),
    );
    const refused = await work.run(["run", "in.jsonl"]);
    expect(refused.stderr.match(/line \d+: invalid_method/g)).toEqual(
      [2, 4, 6, 8, 10].map((line) => `line ${line}: invalid_method`),
    );
    expectUntouched(work);
    work.write("in.jsonl", requestFile(10));
    expect((await work.run(["run", "in.jsonl"])).code).toBe(0);
  });

  it("with more than 1,000 bad lines, and says how many more there are", async () => {
    await using work = await createCliWorkspace();
    work.write("in.jsonl", "x\n".repeat(1_234));
    const result = await work.run(["run", "in.jsonl", "--json"]);
    const events = result.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    const bad = events.filter(({ event }) => event === "invalid_line");
    expect(bad).toHaveLength(1_001);
    expect(bad[999]).toMatchObject({ line: 1_000, code: "invalid_json_line" });
    expect(bad[1_000]).toMatchObject({ line: null, message: expect.stringMatching(/234/) });
    expect(events.at(-1)).toMatchObject({ event: "error", exit_code: 2 });
  });

  it("that breaks OpenAI's own rules, with --strict", async () => {
    await using work = await createCliWorkspace();
    const other = { ...requestOf("x"), url: "/v1/embeddings", body: { model: "other", input: "hi" } };
    work.write("in.jsonl", `${good}${JSON.stringify(other)}\n`);
    const result = await work.run(["run", "in.jsonl", "--strict"]);
    expect(result.code).toBe(2);
    expect(result.stderr).toMatch(/line 3: (invalid_url|mismatched_model)/);
    expectUntouched(work);
  });

  it("when there is no upstream, and says what to set", async () => {
    await using work = await createCliWorkspace();
    work.write("in.jsonl", good);
    const result = await work.run(["run", "in.jsonl"], { env: { NERIF_UPSTREAM: "" } });
    expect(result.code).toBe(2);
    expect(result.stderr).toMatch(/nerif: Cannot run batches: no upstream is configured.*NERIF_UPSTREAM/);
    expectUntouched(work);
  });
});

/** Paths that cannot be used: arguments, what is said, and what has to be there before. */
const badPaths: [string, string[], RegExp][] = [
  ["an input that is not there", ["gone.jsonl"], /Cannot read gone\.jsonl: it does not exist/],
  ["a directory as input", ["folder"], /Cannot read folder: it is a directory/],
  ["a directory as output", ["in.jsonl", "-o", "folder"], /to folder: it is a directory/],
  [
    "an output in no directory",
    ["in.jsonl", "-o", "no/where.jsonl"],
    /the directory .*no: it does not exist/,
  ],
  ["an output that is the input", ["in.jsonl", "-o", "./in.jsonl"], /the output is the input itself/],
  ["an output that links to the input", ["in.jsonl", "-o", "link.jsonl"], /the output is the input itself/],
  [
    "an output that exists",
    ["in.jsonl", "-o", "kept.jsonl"],
    /kept\.jsonl: it exists, and no run of this input wrote it; --force/,
  ],
  ["failed lines to a file that exists", ["in.jsonl", "--errors", "kept.jsonl"], /kept\.jsonl: it exists/],
  ["a device as output", ["in.jsonl", "-o", "/dev/null"], /it is not a regular file/],
  [
    "an option that is not there",
    ["in.jsonl", "--speed", "9"],
    /Cannot understand the command line: unknown option '--speed'/,
  ],
  ["no input", [], /missing required argument 'input'/],
  ["two inputs", ["in.jsonl", "b.jsonl"], /too many arguments/],
  ["a bad duration", ["in.jsonl", "--deadline", "soon"], /--deadline: cannot read "soon" as a duration/],
  ["a limit of 0", ["in.jsonl", "--limit", "0"], /--limit "0": it must be a whole number from 1/],
  [
    "a key in place of its variable",
    ["in.jsonl", "--upstream-api-key-env", "sk-secret"],
    /never a key itself/,
  ],
  ["an upstream that is no URL", ["in.jsonl", "--upstream", "localhost"], /is not an http or https URL/],
  ["a data directory that is a file", ["in.jsonl", "--data-dir", "kept.jsonl"], /kept\.jsonl/],
];

describe("nerif run refuses", () => {
  it.each(badPaths)("%s", async (_name, args, message) => {
    await using work = await createCliWorkspace();
    work.write("in.jsonl", good);
    work.write("b.jsonl", good);
    work.write("kept.jsonl", "precious\n");
    mkdirSync(work.path("folder"));
    symlinkSync(work.path("in.jsonl"), work.path("link.jsonl"));
    const result = await work.run(["run", ...args]);
    expect(result.stderr).toMatch(message);
    expect(result.stderr).toMatch(/^nerif: Cannot /);
    expect(result.stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(result.stderr).not.toContain("sk-secret");
    expect(result.stdout).toBe("");
    expect(result.code).toBe(2);
    expect(work.read("kept.jsonl")).toBe("precious\n");
    expect(work.read("in.jsonl")).toBe(good);
    expectUntouched(work);
  });

  // The superuser may read everything.
  it.skipIf(process.getuid?.() === 0)("an input that it may not read", async () => {
    await using work = await createCliWorkspace();
    work.write("in.jsonl", good);
    chmodSync(work.path("in.jsonl"), 0);
    const result = await work.run(["run", "in.jsonl"]);
    expect(result.code).toBe(2);
    expect(result.stderr).toMatch(/Cannot read in\.jsonl: permission denied/);
  });

  it("to go on with an input that has changed, until --force", async () => {
    await using work = await createCliWorkspace();
    work.write("in.jsonl", good);
    await work.run(["run", "in.jsonl"]);
    const results = work.read("in.output.jsonl");
    work.write("in.jsonl", requestFile(3));
    const changed = await work.run(["run", "in.jsonl"]);
    expect(changed.code).toBe(2);
    expect(changed.stderr).toMatch(/Cannot go on with .*in\.jsonl: it has changed since its run began/);
    expect(work.read("in.output.jsonl")).toBe(results);
    expect(work.sent()).toHaveLength(2);
    expect((await work.run(["run", "in.jsonl", "--force"])).code).toBe(0);
    expect(work.lines("in.output.jsonl")).toHaveLength(3);
  });

  it("another input for the same output", async () => {
    await using work = await createCliWorkspace();
    work.write("in.jsonl", good);
    work.write("b.jsonl", requestFile(3));
    await work.run(["run", "in.jsonl", "-o", "out.jsonl"]);
    const other = await work.run(["run", "b.jsonl", "-o", "out.jsonl"]);
    expect(other.code).toBe(2);
    expect(other.stderr).toMatch(/out\.jsonl: it belongs to a run of .*in\.jsonl; --force starts anew/);
    expect(work.lines("out.jsonl")).toHaveLength(2);
  });

  it("to show results that somebody removed", async () => {
    await using work = await createCliWorkspace();
    work.write("in.jsonl", good);
    await work.run(["run", "in.jsonl", "-o", "out.jsonl"]);
    work.write("moved.jsonl", work.read("out.jsonl"));
    rmSync(work.path("out.jsonl"));
    const result = await work.run(["run", "in.jsonl", "-o", "out.jsonl"]);
    expect(result.code).toBe(2);
    expect(result.stderr).toMatch(/it is finished, but .*out\.jsonl is gone; --force runs everything again/);
    expect(work.sent()).toHaveLength(2);
  });
});

function expectUntouched(work: CliWorkspace): void {
  expect(work.sent()).toEqual([]);
  expect(work.has("in.output.jsonl")).toBe(false);
  expect(work.has("in.errors.jsonl")).toBe(false);
}
