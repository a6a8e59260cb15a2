import { expect } from "vitest";
import type { Row } from "../row.ts";
import { lines, refusal, run, upload } from "../steps.ts";

/** Content of a file: §3.2. */
export const fileContentRows: Row[] = [
  {
    section: "3.2",
    title: "`Accept: application/binary` or anything else is never 406",
    async check({ sdk, server }) {
      const { id } = await upload(sdk);
      await sdk.files.content(id);
      expect(server.last().headers.accept).toBe("application/binary");
      const headers = { accept: "image/png" };
      expect((await fetch(`${server.url}/v1/files/${id}/content`, { headers })).status).toBe(200);
    },
  },
  {
    section: "3.2",
    title: "Python gives the content by `.text`, `.read()`, `.iter_lines()` and `.write_to_file()`",
    only: "python",
    async check({ sdk }) {
      const text = lines(3);
      const { id } = await upload(sdk, text);
      const forms = { text, read: text, iter_lines: text, write_to_file: text };
      expect(await sdk.files.contentForms(id)).toEqual(forms);
    },
  },
  {
    section: "3.2",
    title: "Content is `application/octet-stream`",
    async check({ sdk, server }) {
      const { id } = await upload(sdk);
      await sdk.files.content(id);
      expect(server.last().answerHeaders["content-type"]).toBe("application/octet-stream");
    },
  },
  {
    section: "3.2",
    title: "`Content-Disposition: attachment` with the file's name",
    difference: "Not public at OpenAI; sent, with `X-Content-Type-Options: nosniff`",
    async check({ sdk, server }) {
      const { id } = await upload(sdk, lines(1), "nightly.jsonl");
      await sdk.files.content(id);
      expect(server.last().answerHeaders).toMatchObject({
        "content-disposition": expect.stringMatching(/^attachment; filename="nightly\.jsonl"/),
        "x-content-type-options": "nosniff",
      });
    },
  },
  {
    section: "3.2",
    title: "`Range` and `ETag`",
    difference: "Not public at OpenAI; supported",
    async check({ sdk, server }) {
      const { id } = await upload(sdk, "{}\n".repeat(10));
      const url = `${server.url}/v1/files/${id}/content`;
      const part = await fetch(url, { headers: { range: "bytes=3-5" } });
      expect([part.status, await part.text()]).toEqual([206, "{}\n"]);
      expect(part.headers.get("content-range")).toBe("bytes 3-5/30");
      const same = await fetch(url, { headers: { "if-none-match": part.headers.get("etag") ?? "" } });
      expect(same.status).toBe(304);
    },
  },
  {
    section: "3.2",
    title: "A batch input comes back byte for byte",
    async check({ sdk }) {
      const bytes = Buffer.from('{"a": "\\u00e4\u00fc\u{1f600}" }\r\n\n  {"b":1.0e5}');
      const { id } = await upload(sdk, bytes);
      expect(await sdk.files.content(id)).toEqual(bytes);
    },
  },
  {
    section: "3.2",
    title: "A `batch_output` can be downloaded",
    async check({ sdk }) {
      const batch = await run(sdk);
      const content = await sdk.files.content(batch.output_file_id ?? "");
      expect(content.toString()).toMatch(/^\{"id":"batch_req_.*\}\n$/);
    },
  },
  {
    section: "3.2",
    title: "`user_data` and `assistants` cannot be downloaded: 400",
    async check({ sdk }) {
      for (const purpose of ["user_data", "assistants"]) {
        const { id } = await sdk.files.create({ file: { bytes: "text", name: "a.txt" }, purpose });
        expect(await refusal(sdk.files.content(id))).toMatchObject({
          status: 400,
          message: `Not allowed to download files of purpose: ${purpose}`,
        });
      }
    },
  },
];
