import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { NerifError } from "../batch/errors.ts";
import type { NewShard } from "../control/control-store.ts";
import type { FileReader, FileStore } from "../files/file-store.ts";
import { createMemoryFileStore } from "../files/memory.ts";
import { readShard } from "./plan/plan.ts";
import { defaultSettings } from "./settings.ts";
import { type ValidateOptions, type Validation, validateInput } from "./validate.ts";

const settings = { maxLineBytes: 10 * 1024 * 1024, strict: false };
const strict = { ...settings, strict: true };
const seed = Uint8Array.from([8, 7, 6, 5, 4, 3, 2, 1]);

describe("validateInput()", () => {
  test("plans every line so that its parts can be read by position", async () => {
    const lines = [
      chat("a", "m1"),
      "   ",
      chat("b", "m2").replace('"b"', '"\\u0062"'),
      `  ${chat("ä", "m1")}\t`,
      JSON.stringify({ url: "/v1/moderations", body: { input: "x" }, method: "POST", custom_id: "d" }),
    ];
    const text = Buffer.from(`\ufeff${lines.join("\r\n")}`);
    const { result, shards, input, files } = await validate(text, { planned: true });
    expect(result).toEqual({ ok: true, total: 4, model: null });

    const plan = await files.open("batch.plan");
    const found: unknown[] = [];
    for (const shard of shards) {
      for (const record of await readShard(plan, shard.planOffset)) {
        const part = async (start: number, length: number) =>
          JSON.parse((await input.read(record.offset + start, length)).toString());
        found[record.line] = {
          custom_id: await part(record.idStart, record.idLength),
          method: "POST",
          url: record.endpoint,
          body: await part(record.bodyStart, record.bodyLength),
        };
        const model = record.modelLength === 0 ? null : await part(record.modelStart, record.modelLength);
        expect(model).toBe(shard.model);
      }
    }
    expect(found).toEqual(lines.filter((line) => line.trim() !== "").map((line) => JSON.parse(line)));
  });

  test("names the model that all lines have in common", async () => {
    expect(await check([chat("a", "m"), chat("b", "m")])).toEqual({ ok: true, total: 2, model: "m" });
    expect(await check([chat("a", "m"), chat("b", "n")])).toEqual({ ok: true, total: 2, model: null });
  });

  test("tells all shards, up to 1,000 at a time, after the plan is there", async () => {
    const lines = Array.from({ length: 1_500 * 3 }, (_, i) => chat(`row-${i}`, `m${i % 3}`));
    const files = createMemoryFileStore();
    const groups: [NewShard[], number | null][] = [];
    const input = await open(Buffer.from(lines.join("\n")), files);
    await validateInput({
      ...{ input, settings, files, planKey: "p", seed },
      onShards: async (shards) => {
        groups.push([shards, await files.size("p")]);
      },
    });
    expect(groups).toHaveLength(1);
    expect(groups[0]?.[1]).toBeGreaterThan(4_500 * 32);
    expect(groups[0]?.[0].map(({ firstLine }) => firstLine).sort((a, b) => a - b)).toEqual([
      ...[0, 1, 2],
      ...[1_536, 1_537, 1_538],
      ...[3_072, 3_073, 3_074],
    ]);
  });

  describe("refuses", () => {
    test.each([
      ["an empty file", ""],
      ["a file of a BOM", "\ufeff"],
      ["a file of blank lines", "\n \r\n\t\n\n"],
    ])("%s", async (_what, text) => {
      const empty = {
        code: "empty_file",
        line: null,
        message: "The batch input file has no requests.",
        param: null,
      };
      expect(await check([text])).toEqual({ ok: false, errors: [empty], errorCount: 1 });
    });

    test("every bad line with its physical number, in the order of the file", async () => {
      const lines = [
        chat("a"),
        "",
        "hello",
        chat("a"),
        Buffer.from('{"custom_id":"\u00ff"}', "latin1"),
        "{}",
        '{"custom_id":"\0"}',
        "\r",
        `\ufeff${chat("b")}`,
        chat("c").replace("POST", "GET"),
        chat("c"),
        chat("d").replace("/v1/chat/completions", "/v1/files"),
        `{"custom_id":"e","body":${"[".repeat(200_000)}`,
      ];
      expect(codesOf(await check(lines))).toEqual([
        "3 invalid_json_line null",
        "4 duplicate_custom_id custom_id",
        "5 invalid_json_line null",
        "6 missing_required_parameter custom_id",
        "6 missing_required_parameter method",
        "6 missing_required_parameter url",
        "6 missing_required_parameter body",
        "7 invalid_json_line null",
        "9 invalid_json_line null",
        "10 invalid_method method",
        "11 duplicate_custom_id custom_id",
        "12 invalid_url url",
        "13 invalid_request null",
      ]);
    });

    test("a line of 20 MB, with its size and the limit, and goes on behind it", async () => {
      const long = Buffer.alloc(20_000_000, "x");
      const result = await check([chat("a"), long, "oops"], { planned: true });
      expect(codesOf(result)).toEqual(["2 line_too_large null", "3 invalid_json_line null"]);
      expect(result.ok || result.errors[0]?.message).toBe(
        "This line has 20000000 bytes, more than the maximum of 10485760.",
      );
    });

    test("ids that differ only in how they are written, and no others", async () => {
      const ids = [
        '"ab"',
        '"a\\u0062"',
        '"AB"',
        '"__proto__"',
        '"__proto__"',
        '"constructor"',
        '"\\ud800"',
        '"\\ufffd"',
        '"�"',
      ];
      const lines = ids.map((id) => chat("x").replace('"x"', id));
      expect(codesOf(await check(lines))).toEqual([
        "2 duplicate_custom_id custom_id",
        "5 duplicate_custom_id custom_id",
        "9 duplicate_custom_id custom_id",
      ]);
    });

    test("more than a thousand bad lines with the number of the rest", async () => {
      const lines = Array.from({ length: 2_500 }, (_, i) => (i % 2 === 0 ? "no" : chat("same")));
      const result = await check(lines, { planned: true });
      if (result.ok) throw new Error("was accepted");
      expect(result.errors).toHaveLength(1_001);
      // Line 2 is the first to have its id, so every other line up to 1,001 is listed.
      expect(result.errors.slice(0, 1_000).map(({ line }) => line)).toEqual([
        1,
        ...Array.from({ length: 999 }, (_, i) => i + 3),
      ]);
      expect(result.errors.at(-1)).toEqual({
        code: "invalid_request",
        line: null,
        message: "1499 more errors were found. Only the first 1000 are listed.",
        param: null,
      });
    });

    test("a model that no upstream serves", async () => {
      const result = await check([chat("a", "good"), chat("b", "bad"), chat("c", "good")], {
        knownModel: (model) => model === "good",
      });
      expect(result).toEqual({
        ok: false,
        errorCount: 1,
        errors: [
          {
            code: "model_not_found",
            line: 2,
            message: "The provided model 'bad' is not supported by the Batch API.",
            param: "body.model",
          },
        ],
      });
    });
  });

  test("keeps no plan and tells no shards of a file with a bad line", async () => {
    const { result, shards, files } = await validate(Buffer.from(`${chat("a")}\n{}\n${chat("b")}\n`), {
      planned: true,
    });
    expect(result.ok).toBe(false);
    expect(shards).toEqual([]);
    expect(await files.size("batch.plan")).toBeNull();
  });

  test("takes mixed urls and models as they come unless it is strict", async () => {
    const lines = [
      chat("a", "m"),
      chat("b", "n"),
      chat("c", "m").replace("/v1/chat/completions", "/v1/embeddings"),
    ];
    const endpoint = "/v1/chat/completions";
    expect((await check(lines, { endpoint })).ok).toBe(true);
    const result = await check(lines, { endpoint, settings: strict });
    expect(result).toEqual({
      ok: false,
      errorCount: 2,
      errors: [
        {
          code: "mismatched_model",
          line: 2,
          message:
            "The model 'n' for this request does not match the rest of the batch. Each batch must contain requests for a single model.",
          param: "body.model",
        },
        {
          code: "invalid_url",
          line: 3,
          message: "The URL provided for this request does not match the batch endpoint.",
          param: "url",
        },
      ],
    });
  });

  test("has OpenAI's limit of lines only when it is strict", async () => {
    const lines = Array.from({ length: 50_001 }, (_, i) => chat(`${i}`));
    expect(await check(lines)).toMatchObject({ ok: true, total: 50_001 });
    expect((await check(lines.slice(1), { settings: strict })).ok).toBe(true);
    expect(codesOf(await check(lines, { settings: strict }))).toEqual(["null too_many_lines null"]);
  });

  test("has OpenAI's limit of bytes only when it is strict, and then reads nothing", async () => {
    const input: FileReader = {
      ...(await open(Buffer.from(chat("a")), createMemoryFileStore())),
      bytes: 209_715_201,
    };
    expect((await validateInput({ input, settings, seed })).ok).toBe(true);
    const unread = { ...input, stream: () => Promise.reject(new Error("was read")) as never };
    expect(codesOf(await validateInput({ input: unread, settings: strict, seed }))).toEqual([
      "null file_too_large null",
    ]);
  });

  test("looks at the first lines only when it is told to", async () => {
    const lines = [chat("a"), "", chat("b"), "bad", chat("a")];
    expect(await check(lines, { limit: 2, planned: true })).toEqual({ ok: true, total: 2, model: "m" });
    expect(codesOf(await check(lines, { limit: 3 }))).toEqual(["4 invalid_json_line null"]);
    expect(codesOf(await check(lines, { limit: 0 }))).toEqual(["null empty_file null"]);
  });

  test("stops when it is aborted, and keeps no plan", async () => {
    const files = createMemoryFileStore();
    const input = await open(Buffer.from(chat("a")), files);
    const signal = AbortSignal.abort();
    const stopped = validateInput({ input, settings, files, planKey: "p", signal, seed });
    await expect(stopped).rejects.toSatisfy(
      (error) => error instanceof NerifError && error.code === "aborted",
    );
    expect(await files.size("p")).toBeNull();
  });

  test("passes on an error of whoever takes the shards", async () => {
    const files = createMemoryFileStore();
    const input = await open(Buffer.from(chat("a")), files);
    const onShards = () =>
      Promise.reject(new NerifError("storage_unavailable", "Cannot insert shards: locked"));
    await expect(validateInput({ input, settings, files, planKey: "p", onShards, seed })).rejects.toThrow(
      "locked",
    );
  });

  describe("of files with many lines", () => {
    const count = 20_000;
    let lines: string[] = [];
    beforeAll(() => {
      lines = Array.from({ length: count }, (_, i) => chat(`request-${i}`));
    });

    test("finds duplicates that are far apart, by reading lines again", async () => {
      const repeats = [0, 63, 64, 65, 9_999, 19_999].map((i) => chat(`request-${i}`));
      const result = await check([...lines, ...repeats, chat("new")]);
      expect(codesOf(result)).toEqual(
        repeats.map((_, i) => `${count + 1 + i} duplicate_custom_id custom_id`),
      );
    });

    test("finds them behind lines that are too long, blank or bad", async () => {
      const settings = { maxLineBytes: 1_000, strict: false };
      const noise = ["x".repeat(5_000), "", "{}", "y".repeat(1_001)];
      const result = await check([...noise, ...lines.slice(0, 50), ...noise, lines[40] ?? ""], { settings });
      expect(codesOf(result).at(-1)).toBe("59 duplicate_custom_id custom_id");
    });
  });

  test("agrees with a slow reference about which ids are there twice", async () => {
    const id = fc.string({
      minLength: 1,
      maxLength: 2,
      unit: fc.constantFrom("a", "b", "ä", "\\", '"', "\n"),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(id, { minLength: 1, maxLength: 60 }), async (ids) => {
        const result = await check(ids.map((custom) => chat(custom)));
        const repeated = ids.flatMap((custom, i) => (ids.indexOf(custom) < i ? [i + 1] : []));
        expect(result.ok ? [] : result.errors.map(({ line }) => line)).toEqual(repeated);
      }),
      { numRuns: 200 },
    );
  });

  test("uses the default settings of the engine", async () => {
    expect(await check([chat("a")], { settings: defaultSettings })).toEqual({
      ok: true,
      total: 1,
      model: "m",
    });
  });
});

function chat(custom_id: string, model = "m"): string {
  return JSON.stringify({
    custom_id,
    method: "POST",
    url: "/v1/chat/completions",
    body: { model, messages: [] },
  });
}

type CheckOptions = Partial<Omit<ValidateOptions, "input" | "files">> & { planned?: boolean };

async function check(lines: (string | Buffer)[], options: CheckOptions = {}): Promise<Validation> {
  const bytes = Buffer.concat(
    lines.flatMap((line, i) => [Buffer.from(i === 0 ? "" : "\n"), Buffer.from(line)]),
  );
  return (await validate(bytes, options)).result;
}

async function validate(bytes: Buffer, { planned = false, ...options }: CheckOptions = {}) {
  const files = createMemoryFileStore();
  const input = await open(bytes, files);
  const shards: NewShard[] = [];
  const place = planned ? { files, planKey: "batch.plan" } : {};
  const onShards = async (more: NewShard[]) => {
    shards.push(...more);
  };
  const result = await validateInput({ input, settings, seed, ...place, onShards, ...options });
  return { result, shards, input, files };
}

async function open(bytes: Buffer, files: FileStore): Promise<FileReader> {
  const writer = await files.create("input");
  await writer.write([bytes]);
  await writer.commit();
  return files.open("input");
}

function codesOf(result: Validation): string[] {
  return result.ok ? [] : result.errors.map(({ code, line, param }) => `${line} ${code} ${param}`);
}
