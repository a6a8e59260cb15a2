import { connect } from "node:net";
import { expect } from "vitest";
import type { Row } from "../row.ts";
import { lines, refusal, run, upload } from "../steps.ts";

/** Creating a file: §3.1. */
export const fileCreationRows: Row[] = [
  {
    section: "3.1",
    title: "`file` brings the bytes and the file name, and is required",
    async check({ server }) {
      const form = new FormData();
      form.set("purpose", "batch");
      const answer = await fetch(`${server.url}/v1/files`, { method: "POST", body: form });
      expect(answer.status).toBe(400);
      expect(await answer.json()).toMatchObject({
        error: { param: "file", code: "missing_required_parameter" },
      });
    },
  },
  {
    section: "3.1",
    title: "`purpose` is required",
    async check({ server }) {
      const form = new FormData();
      form.set("file", new Blob(["{}\n"]), "a.jsonl");
      const answer = await fetch(`${server.url}/v1/files`, { method: "POST", body: form });
      expect(answer.status).toBe(400);
      expect(await answer.json()).toMatchObject({
        error: { param: "purpose", code: "missing_required_parameter" },
      });
    },
  },
  {
    section: "3.1",
    title:
      "`expires_after` comes as `expires_after[anchor]` and `expires_after[seconds]`, as the SDK sends it",
    async check({ sdk, server }) {
      const file = { bytes: "{}\n", name: "a.jsonl" };
      const expires_after = { anchor: "created_at", seconds: 3_600 };
      const { created_at, expires_at } = await sdk.files.create({ file, purpose: "batch", expires_after });
      expect(expires_at).toBe(created_at + 3_600);
      expect(server.last().body).toMatch(/name="expires_after\[anchor\]"\r\n\r\ncreated_at\r\n/);
      expect(server.last().body).toMatch(/name="expires_after\[seconds\]"\r\n\r\n3600\r\n/);
    },
  },
  {
    section: "3.1",
    title: "`expires_after[anchor]` can only be `created_at`",
    async check({ sdk }) {
      const file = { bytes: "{}\n", name: "a.jsonl" };
      const expires_after = { anchor: "last_active_at", seconds: 3_600 };
      const refused = await refusal(sdk.files.create({ file, purpose: "batch", expires_after }));
      expect(refused).toMatchObject({ status: 400, param: "expires_after.anchor" });
    },
  },
  {
    section: "3.1",
    title: "`expires_after[seconds]` is 3,600 to 2,592,000",
    async check({ sdk }) {
      const file = { bytes: "{}\n", name: "a.jsonl" };
      const make = (seconds: number) =>
        sdk.files.create({ file, purpose: "batch", expires_after: { anchor: "created_at", seconds } });
      expect((await make(2_592_000)).id).toMatch(/^file-/);
      for (const seconds of [3_599, 2_592_001, 0, -1]) {
        expect(await refusal(make(seconds))).toMatchObject({ status: 400, param: "expires_after.seconds" });
      }
    },
  },
  {
    section: "3.1",
    title: "Both halves of `expires_after` are required when one is there",
    async check({ sdk }) {
      const file = { bytes: "{}\n", name: "a.jsonl" };
      for (const expires_after of [{ anchor: "created_at" }, { seconds: 3_600 }]) {
        const refused = await refusal(sdk.files.create({ file, purpose: "batch", expires_after }));
        expect(refused).toMatchObject({ status: 400 });
      }
    },
  },
  {
    section: "3.1",
    title: "The Python SDK sends the text fields first and the file last",
    only: "python",
    async check({ sdk, server }) {
      await upload(sdk);
      const { body } = server.last();
      expect(body.indexOf('name="purpose"')).toBeLessThan(body.indexOf('name="file"'));
    },
  },
  {
    section: "3.1",
    title:
      "The Node SDK sends a stream before `purpose` and `expires_after`, in chunks without Content-Length",
    only: "node",
    async check({ sdk, server, file }) {
      const path = await file(lines(50));
      const expires_after = { anchor: "created_at", seconds: 3_600 };
      const stored = await sdk.files.create({ file: { path }, purpose: "batch", expires_after });
      const { body, headers } = server.last();
      expect(body.indexOf('name="file"')).toBeLessThan(body.indexOf('name="purpose"'));
      expect(headers).toMatchObject({ "transfer-encoding": "chunked" });
      expect(headers).not.toHaveProperty("content-length");
      expect(stored).toMatchObject({ filename: "input.jsonl", bytes: lines(50).length });
    },
  },
  {
    section: "3.1",
    title: "Uploads from memory, and all of Python's, have a Content-Length",
    async check({ sdk, server }) {
      await upload(sdk);
      expect(Number(server.last().headers["content-length"])).toBe(server.last().body.length);
    },
  },
  {
    section: "3.1",
    title: "The Content-Type of the file's part is not looked at",
    async check({ sdk, server }) {
      await upload(sdk);
      expect(server.last().body).toMatch(/name="file"; filename="input\.jsonl"\r\n[Cc]ontent-[Tt]ype: /);
      const form = new FormData();
      form.set("purpose", "batch");
      form.set("file", new Blob(["{}\n"], { type: "image/png" }), "a.jsonl");
      const answer = await fetch(`${server.url}/v1/files`, { method: "POST", body: form });
      expect(answer.status).toBe(200);
    },
  },
  {
    section: "3.1",
    title: "Bytes without a name are called `upload` by Python and `unknown_file` by Node",
    async check({ sdk, language }) {
      const { filename } = await sdk.files.create({ file: { bytes: "text" }, purpose: "user_data" });
      expect(filename).toBe(language === "python" ? "upload" : "unknown_file");
    },
  },
  {
    section: "3.1",
    title: "Directories are stripped from file names",
    async check({ sdk, file }) {
      const path = await file(lines(1), "deep.jsonl");
      const { filename } = await sdk.files.create({ file: { path }, purpose: "batch" });
      expect(filename).toBe("deep.jsonl");
    },
  },
  {
    section: "3.1",
    title: "`Expect: 100-continue`, as curl sends it, is answered",
    async check({ server }) {
      const { received } = await sendWithExpect(server.directUrl);
      expect(received).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
    },
  },
  {
    section: "3.1",
    title: "At most 512 MB per file, 200 MB per batch input, 2.5 TB per project",
    difference:
      "The limit is the disk or `--max-file-bytes`; `--strict` restores 512 MiB and the 200 MiB of a batch input, and keys have quotas of stored bytes",
  },
  {
    section: "3.1",
    title: "At most 1,000 uploads per minute and user",
    difference: "OpenAI's own operation; keys have a quota of requests per second instead",
  },
  {
    section: "3.1",
    title: "A file for `batch` whose name does not end in `.jsonl` is refused at once",
    async check({ sdk }) {
      expect(await refusal(upload(sdk, lines(1), "input.json"))).toMatchObject({
        status: 400,
        message: "Invalid file format for Batch API. Must be .jsonl",
      });
    },
  },
  {
    section: "3.1",
    title: "An empty file for `batch` is refused at once",
    async check({ sdk }) {
      expect(await refusal(upload(sdk, ""))).toMatchObject({ status: 400 });
    },
  },
  {
    section: "3.1",
    title: "A first line that is no JSON is refused at once: `Invalid file format…jsonl`",
    async check({ sdk }) {
      const refused = await refusal(upload(sdk, `nonsense\n${lines(1)}`));
      expect(refused.status).toBe(400);
      expect(refused.message).toMatch(/^Invalid file format.*jsonl/);
    },
  },
  {
    section: "3.1",
    title: "A bad later line, or a line without `method`, is accepted and fails in validation only",
    async check({ sdk }) {
      for (const text of [`${lines(1)}nonsense\n`, lines(1, () => ({ method: undefined }))]) {
        expect(await upload(sdk, text)).toMatchObject({ status: "processed" });
        expect(await run(sdk, text)).toMatchObject({ status: "failed" });
      }
    },
  },
];

/** A body that is sent only when the server asks for it. */
async function sendWithExpect(url: string): Promise<{ received: string }> {
  const form = [
    '--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n',
    '--b\r\nContent-Disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n{}\n\r\n--b--\r\n',
  ].join("");
  const head = [
    "POST /v1/files HTTP/1.1",
    `Host: ${new URL(url).host}`,
    "Content-Type: multipart/form-data; boundary=b",
    `Content-Length: ${form.length}`,
    "Expect: 100-continue",
    "Connection: close",
  ];
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  socket.write(`${head.join("\r\n")}\r\n\r\n`);
  let received = "";
  for await (const chunk of socket) {
    if (received === "") socket.write(form);
    received += String(chunk);
  }
  return { received };
}
