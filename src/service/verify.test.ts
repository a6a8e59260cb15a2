import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { failureLine, neverRunError, successLine } from "../batch/result-line.ts";
import { noTokens, usageOf } from "../batch/usage.ts";
import { type RecordedFile, type VerifyBatchSources, verifySources } from "./verify.ts";

const batchId = "batch_0123456789abcdef0123456789abcdef";
const ids = ["a", 'q"uote', "ä", "d", "e", "f"];
/** What becomes of each request: a and e succeed, `q"uote` and d fail, ä and f are never run. */
const fates = ["output", "error", "never", "error", "output", "never"] as const;

interface Files {
  input: string[];
  output: string[];
  errors: string[];
}

function soundFiles(): Files {
  const files: Files = { input: [], output: [], errors: [] };
  for (const [line, id] of ids.entries()) {
    const body = { model: "m", messages: [{ role: "user", content: id }] };
    const request = { custom_id: id, method: "POST", url: "/v1/chat/completions", body };
    files.input.push(JSON.stringify(request));
    const name = { batchId, line, customId: JSON.stringify(id) };
    const answer = Buffer.from('{"usage":{"prompt_tokens":2,"completion_tokens":3,"total_tokens":5}}');
    const refusal = { status: 400, requestId: null, body: Buffer.from('{"error":{}}') };
    const error = { code: "bad", message: "Bad", type: "invalid_request_error" };
    const pieces = {
      output: () => successLine(name, { status: 200, requestId: "r", body: answer }),
      error: () => failureLine(name, refusal, error),
      never: () => failureLine(name, null, neverRunError("expired")),
    };
    const fate = fates[line] as (typeof fates)[number];
    files[fate === "output" ? "output" : "errors"].push(Buffer.concat(pieces[fate]()).toString());
  }
  return files;
}

const textOf = (lines: string[]) => lines.map((line) => `${line}\n`).join("");

/** The sound batch with other bytes in its files, which are recorded as they are unless `recorded` says otherwise. */
function sourcesOf(
  texts: { input: string; output: string | null; errors: string | null },
  changes: Partial<VerifyBatchSources["batch"]> = {},
): VerifyBatchSources {
  const file = (text: string): RecordedFile => ({
    expected: { bytes: Buffer.byteLength(text), sha256: createHash("sha256").update(text).digest("hex") },
    open: async function* () {
      // In small pieces, so that lines begin and end anywhere.
      const bytes = Buffer.from(text);
      for (let at = 0; at < bytes.length; at += 7) yield bytes.subarray(at, at + 7);
    },
  });
  return {
    batch: {
      id: batchId,
      status: "expired",
      request_counts: { total: 6, completed: 2, failed: 2 },
      usage: usageOf({ ...noTokens(), input: 4, output: 6, total: 10 }),
      metadata: null,
      ...changes,
    },
    input: file(texts.input),
    output: texts.output === null ? null : file(texts.output),
    errors: texts.errors === null ? null : file(texts.errors),
    merged: false,
    maxLineBytes: 1_000,
  };
}

function soundSources(changes: Partial<VerifyBatchSources["batch"]> = {}): VerifyBatchSources {
  const { input, output, errors } = soundFiles();
  return sourcesOf({ input: textOf(input), output: textOf(output), errors: textOf(errors) }, changes);
}

describe("verification", () => {
  it("finds nothing wrong with files that add up, and counts what is in them", async () => {
    const found = await verifySources(soundSources());
    expect(found.problems.first).toEqual([]);
    expect(found).toMatchObject({ total: 6, succeeded: 2, failed: 2, neverRun: 2 });
    expect(found.tokens).toMatchObject({ input: 4, output: 6, total: 10 });
  });

  it("finds lines that were never run in a batch that is said to be completed", async () => {
    const { problems } = await verifySources(
      soundSources({ status: "completed", request_counts: { total: 6, completed: 2, failed: 2 } }),
    );
    expect(problems.first).toMatchObject([
      { code: "wrong_count", message: "The batch is completed, and its files have 2 that were never run" },
    ]);
  });

  it("reads an input as validation does: BOM, CRLF, blank lines, no newline at the end", async () => {
    const { input, output, errors } = soundFiles();
    const odd = `\ufeff${input.slice(0, 3).join("\r\n")}\r\n\n  \n${input.slice(3).join("\n")}`;
    const found = await verifySources(
      sourcesOf({ input: odd, output: textOf(output), errors: textOf(errors) }),
    );
    expect(found.problems.first).toEqual([]);
  });

  it.each<[string, (files: Files) => void, string[]]>([
    ["a result is gone", ({ output }) => output.splice(1, 1), ["missing_line input 5", "wrong_count"]],
    ["a failed result is gone", ({ errors }) => errors.splice(0, 1), ["missing_line input 2", "wrong_count"]],
    ["a result is there twice", ({ output }) => output.push(output[1] ?? ""), ["repeated_line output 3"]],
    [
      "a result is in both files",
      ({ output, errors }) => errors.unshift(output[0] ?? ""),
      ["repeated_line errors 1"],
    ],
    ["results are out of order", ({ errors }) => errors.reverse(), ["out_of_order errors 2"]],
    [
      "a failed line stands in the output",
      ({ output, errors }) => output.splice(1, 0, ...errors.splice(0, 1)),
      ["wrong_file output 2"],
    ],
    [
      "a line that succeeded stands in the error file",
      ({ output, errors }) => errors.unshift(...output.splice(0, 1)),
      ["wrong_file errors 1"],
    ],
    [
      "a result has another custom_id",
      ({ output }) => output.splice(0, 1, output[0]?.replace('"a"', '"d"') ?? ""),
      ["foreign_line output 1", "missing_line input 1"],
    ],
    [
      "two results have changed places under their ids",
      ({ output }) => {
        const [a, e] = output as [string, string];
        output.splice(
          0,
          2,
          a.replace('"custom_id":"a"', '"custom_id":"e"'),
          e.replace('"custom_id":"e"', '"custom_id":"a"'),
        );
      },
      ["foreign_line output 1", "foreign_line output 2"],
    ],
    [
      "a result is of another batch",
      ({ output }) => output.splice(0, 1, output[0]?.replace("batch_req_01", "batch_req_ff") ?? ""),
      ["foreign_line output 1", "missing_line input 1"],
    ],
    [
      "a result's id names no request",
      ({ output }) => output.splice(1, 1, output[1]?.replace("00000004", "00000fff") ?? ""),
      ["foreign_line output 2", "missing_line input 5"],
    ],
    [
      "a line is no JSON",
      ({ errors }) => errors.splice(1, 1, '{"id":'),
      ["invalid_line errors 2", "missing_line input 3"],
    ],
    [
      "a line is cut",
      ({ output }) => output.splice(1, 1, output[1]?.slice(0, 60) ?? ""),
      ["invalid_line output 2"],
    ],
    [
      "an answer has no error and no success",
      ({ output }) => output.splice(0, 1, output[0]?.replace('"status_code":200', '"status_code":500') ?? ""),
      ["invalid_line output 1"],
    ],
    [
      "a line has neither answer nor error",
      ({ output }) =>
        output.splice(0, 1, output[0]?.replace(/"response":.*\}$/, '"response":null,"error":null}') ?? ""),
      ["invalid_line output 1"],
    ],
    [
      "a request is gone from the input",
      ({ input }) => input.splice(5, 1),
      ["foreign_line errors 4", "wrong_count"],
    ],
    [
      "a request has another id",
      ({ input }) => input.splice(3, 1, input[3]?.replace('"d"', '"dd"') ?? ""),
      ["foreign_line errors 3", "missing_line input 4"],
    ],
    ["a request is no JSON", ({ input }) => input.splice(3, 1, "nothing"), ["invalid_line input 4"]],
    [
      "a request is too long",
      ({ input }) => input.splice(3, 1, `"${"x".repeat(1_000)}"`),
      ["invalid_line input 4"],
    ],
    [
      "tokens were changed",
      ({ output }) => output.splice(0, 1, output[0]?.replace('"total_tokens":5', '"total_tokens":6') ?? ""),
      ["wrong_count"],
    ],
  ])("tells that %s", async (_name, tamper, expected) => {
    const files = soundFiles();
    tamper(files);
    const texts = { input: textOf(files.input), output: textOf(files.output), errors: textOf(files.errors) };
    const { problems } = await verifySources(sourcesOf(texts));
    const told = problems.first.map(({ code, file, line }) =>
      [code, file, line].filter((part) => part !== null).join(" "),
    );
    expect(told).toEqual(expect.arrayContaining(expected));
    expect(problems.count).toBe(problems.first.length);
  });

  it("tells that bytes are not those that were recorded, though every line still fits", async () => {
    const sources = soundSources();
    const { output } = soundFiles();
    // Another answer under the same id: only the sum knows.
    const other = textOf(output).replace('"prompt_tokens":2', '"prompt_tokens": 2');
    const changed = {
      ...sources,
      output: { ...sourcesOf({ input: "", output: other, errors: null }).output },
    };
    const same = textOf(output).replace('"request_id":"r"', '"request_id":"s"');
    for (const [text, message] of [
      [other, /bytes, and \d+ were recorded/],
      [same, /Its SHA-256 is .* was recorded/],
    ] as const) {
      const open = async function* () {
        yield Buffer.from(text);
      };
      const expected = sources.output?.expected ?? null;
      const found = await verifySources({ ...changed, output: { expected, open } });
      expect(found.problems.first).toMatchObject([{ code: "wrong_bytes", file: "output" }]);
      expect(found.problems.first[0]?.message).toMatch(message);
    }
  });

  it.each([
    ["a file without lines", { output: "" }, "wrong_file output"],
    ["a last line without its end", { output: textOf(soundFiles().output).slice(0, -1) }, "cut_off output"],
    ["no error file although there are failures", { errors: null }, "missing_line input 2"],
    ["bytes that are no UTF-8", { errors: "\udc00\n" }, "missing_line input 2"],
  ])("tells of %s", async (_name, change, expected) => {
    const files = soundFiles();
    const texts = { input: textOf(files.input), output: textOf(files.output), errors: textOf(files.errors) };
    const { problems } = await verifySources(sourcesOf({ ...texts, ...change }));
    const told = problems.first.map(({ code, file, line }) =>
      [code, file, line].filter((part) => part !== null).join(" "),
    );
    expect(told).toContain(expected);
  });

  it.each([
    ["requests", { request_counts: { total: 7, completed: 2, failed: 2 } }],
    ["successes", { request_counts: { total: 6, completed: 3, failed: 2 } }],
    ["failures", { request_counts: { total: 6, completed: 2, failed: 3 } }],
    ["tokens", { usage: usageOf(noTokens()) }],
  ])("tells that the batch counts other %s than its files have", async (_name, changes) => {
    const { problems } = await verifySources(soundSources(changes));
    expect(problems.first).toMatchObject([{ code: "wrong_count", file: null }]);
  });

  it("keeps a hundred problems and counts the rest", async () => {
    const { input, errors } = soundFiles();
    const many = Array.from({ length: 250 }, () => "no JSON");
    const texts = { input: textOf(input), output: textOf(many), errors: textOf(errors) };
    const { problems } = await verifySources(sourcesOf(texts));
    expect(problems.first).toHaveLength(100);
    expect(problems.count).toBeGreaterThan(250);
  });

  it("refuses a batch that is not final, and one whose input was refused", async () => {
    await expect(verifySources(soundSources({ status: "finalizing" }))).rejects.toMatchObject({
      code: "batch_not_final",
    });
    await expect(verifySources(soundSources({ status: "failed" }))).rejects.toMatchObject({
      code: "invalid_request",
    });
  });
});
