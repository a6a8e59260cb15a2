import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { NerifError } from "../batch/errors.ts";
import type { StagedFile } from "../service/stage-file.ts";
import { receiveForm } from "./multipart.ts";

interface Part {
  name: string;
  filename?: string;
  value: string;
}

const purpose: Part = { name: "purpose", value: "batch" };
const anchor: Part = { name: "expires_after[anchor]", value: "created_at" };
const seconds: Part = { name: "expires_after[seconds]", value: "3600" };
const file: Part = { name: "file", filename: "a.jsonl", value: '{"a":1}\n--boundary but not\r\n{"b":2}' };

function encode(parts: Part[], end = "--boundary--\r\n"): Buffer {
  const text = parts.map(({ name, filename, value }) => {
    const type = filename === undefined ? "" : "\r\ncontent-type: application/octet-stream";
    const shown = filename === undefined ? "" : `; filename="${filename}"`;
    return `--boundary\r\ncontent-disposition: form-data; name="${name}"${shown}${type}\r\n\r\n${value}\r\n`;
  });
  return Buffer.from(text.join("") + end);
}

interface Received {
  error: NerifError | null;
  bytes: string;
  filename: string | undefined;
  fields: Record<string, string>;
  /** Files that were begun and neither kept nor discarded. */
  open: number;
}

/** Sends bytes in pieces of given sizes; `breaksOff`: the connection is lost after them. */
async function receive(
  bytes: Buffer,
  { sizes = [65_536], breaksOff = false, type = "multipart/form-data; boundary=boundary" } = {},
): Promise<Received> {
  let open = 0;
  const written: Buffer[] = [];
  const begin = async (): Promise<StagedFile> => {
    let isOpen = true;
    open += 1;
    return {
      async write(chunks) {
        if (!isOpen) throw new Error("written after it was discarded");
        await new Promise(setImmediate);
        for (const chunk of chunks) written.push(Buffer.from(chunk));
      },
      finish: () => Promise.reject(new Error("not asked")),
      async discard() {
        if (isOpen) open -= 1;
        isOpen = false;
      },
    };
  };
  let at = 0;
  let piece = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (at < bytes.length) {
        const size = sizes[piece % sizes.length] ?? 1;
        controller.enqueue(new Uint8Array(bytes.subarray(at, at + size)));
        at += size;
        piece += 1;
      } else if (breaksOff) controller.error(new Error("ECONNRESET"));
      else controller.close();
    },
  });
  const request = new Request("http://localhost/", {
    method: "POST",
    headers: { "content-type": type },
    body,
    duplex: "half",
  });
  try {
    const form = await receiveForm(request, { fileField: "file", begin });
    await form.file.discard();
    const fields = Object.fromEntries(form.fields);
    return { error: null, bytes: Buffer.concat(written).toString(), filename: form.filename, fields, open };
  } catch (reason) {
    const error = reason as NerifError;
    return { error, bytes: Buffer.concat(written).toString(), filename: undefined, fields: {}, open };
  }
}

describe("upload form", () => {
  it("is understood in any order of its parts, however the bytes arrive", async () => {
    const order = fc.shuffledSubarray([purpose, anchor, seconds, file], { minLength: 4 });
    const sizes = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(order, sizes, async (parts, pieces) => {
        expect(await receive(encode(parts), { sizes: pieces })).toEqual({
          error: null,
          bytes: file.value,
          filename: "a.jsonl",
          fields: {
            purpose: "batch",
            "expires_after[anchor]": "created_at",
            "expires_after[seconds]": "3600",
          },
          open: 0,
        });
      }),
    );
  });

  it("keeps every byte of a file that is full of line ends and dashes", async () => {
    const content = fc.string({
      unit: fc.constantFrom("\r", "\n", "-", "b", "\r\n--boundar"),
      maxLength: 200,
    });
    await fc.assert(
      fc.asyncProperty(content, fc.integer({ min: 1, max: 20 }), async (value, size) => {
        fc.pre(!value.includes("\r\n--boundary"));
        const received = await receive(encode([{ ...file, value }, purpose]), { sizes: [size] });
        expect(received).toMatchObject({ error: null, bytes: value, open: 0 });
      }),
    );
  });

  it("is refused, and its file discarded, wherever it breaks off", async () => {
    const whole = encode([purpose, file, seconds]);
    const until = fc.integer({ min: 0, max: whole.length - "--\r\n".length - 1 });
    await fc.assert(
      fc.asyncProperty(
        until,
        fc.boolean(),
        fc.integer({ min: 1, max: 64 }),
        async (length, breaksOff, size) => {
          const received = await receive(whole.subarray(0, length), { breaksOff, sizes: [size] });
          expect(received.error?.code).toMatch(/^(invalid_request|missing_required_parameter|aborted)$/);
          expect(received.open).toBe(0);
        },
      ),
    );
  });

  it("never fails otherwise than with a refusal, whatever its bytes are", async () => {
    const pieces = fc.constantFrom(
      "--boundary",
      "--boundary--",
      "\r\n",
      "\r\n\r\n",
      'content-disposition: form-data; name="file"; filename="a"',
      "content-disposition: form-data; name=file",
      'content-disposition: form-data; name="purpose"',
      "content-disposition: x",
      "content-disposition: form-data",
      "content-disposition: form-data; name",
      "content-disposition: form-data; filename",
      "content-type: text/plain",
      "content-type: ;;;",
      ":",
      "x",
      "\u0000",
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(pieces, { maxLength: 30 }),
        fc.integer({ min: 1, max: 40 }),
        async (parts, size) => {
          const received = await receive(Buffer.from(parts.join("")), { sizes: [size] });
          if (received.error !== null) expect(received.error.name).toBe("NerifError");
          expect(received.open).toBe(0);
        },
      ),
      { numRuns: 300 },
    );
  });

  it.each(["form-data", "form-data; name", 'form-data; its name="purpose"'])(
    "with a part '%s', which has no name, is refused",
    async (disposition) => {
      const nameless = `--boundary\r\ncontent-disposition: ${disposition}\r\n\r\nbatch\r\n`;
      const { error, open } = await receive(Buffer.concat([Buffer.from(nameless), encode([file])]));
      expect(error?.message).toBe("Cannot read the upload: one of its parts has no name");
      expect(error?.code).toBe("invalid_request");
      expect(open).toBe(0);
    },
  );

  it.each([
    ["no file", [purpose], "missing_required_parameter", "Missing required parameter: 'file'."],
    ["two files", [file, file], "invalid_request", "it has more than one file"],
    [
      "a file of another name",
      [{ ...file, name: "data" }],
      "invalid_request",
      "in the part 'data', and must be in 'file'",
    ],
    ["a field twice", [purpose, purpose, file], "invalid_request", "its field 'purpose' is there twice"],
    [
      "a huge field",
      [{ name: "purpose", value: "x".repeat(20_000) }, file],
      "invalid_request",
      "larger than 16384 bytes",
    ],
    [
      "many fields",
      [...Array.from({ length: 30 }, (_, i) => ({ name: `f${i}`, value: "" })), file],
      "invalid_request",
      "more than 16 fields",
    ],
    [
      "a huge field name only",
      [{ name: "x".repeat(200_000), value: "" }],
      "missing_required_parameter",
      "'file'",
    ],
  ])("with %s is refused", async (_, parts, code, message) => {
    const { error, open } = await receive(encode(parts));
    expect(error).toMatchObject({ code, message: expect.stringContaining(message) });
    expect(open).toBe(0);
  });

  it.each([
    "application/json",
    "multipart/form-data",
    "",
    "multipart/mixed; boundary=boundary",
    "multipart/form-datax; boundary=boundary",
    "application/x-www-form-urlencoded",
    "x".repeat(10_000),
  ])("is refused with the content type %j", async (type) => {
    const { error } = await receive(encode([purpose, file]), { type });
    expect(error).toMatchObject({
      code: "invalid_request",
      message: expect.stringContaining("multipart/form-data"),
    });
  });

  it("takes a file without a name, and one with a name in UTF-8 and directories", async () => {
    expect(await receive(encode([{ name: "file", value: "{}" }, purpose]))).toMatchObject({
      filename: "upload",
      bytes: "{}",
    });
    const named = await receive(encode([{ ...file, filename: "../dir/über.jsonl" }]));
    expect(named.filename).toBe("über.jsonl");
  });

  it("cuts a huge file name off, which is refused by its length later", async () => {
    const { filename } = await receive(encode([{ ...file, filename: "x".repeat(200_000) }]));
    expect(filename?.length).toBeGreaterThan(1_024);
    expect(filename?.length).toBeLessThan(20_000);
  });

  it("passes a failure of the disk on", async () => {
    const request = new Request("http://localhost/", {
      method: "POST",
      headers: { "content-type": "multipart/form-data; boundary=boundary" },
      body: encode([file, purpose]),
    });
    const full = Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
    const begin = () => Promise.reject(full);
    await expect(receiveForm(request, { fileField: "file", begin })).rejects.toBe(full);
  });
});
