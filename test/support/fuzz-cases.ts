import fc from "fast-check";

/** One request as bytes; what is in it is meant to hurt. */
export interface FuzzCase {
  method: string;
  path: string;
  headers?: Record<string, string>;
  body?: Buffer;
}

const hostileText = fc.oneof(
  fc.constantFrom(
    ...[
      "../../../../etc/passwd",
      "..%2f..%2f..%2fetc%2fpasswd",
      "%2e%2e/%2e%2e/etc/shadow",
      "%252e%252e%252fetc",
    ],
    ...[
      "/etc/passwd",
      "file:///etc/passwd",
      "s3://bucket/key",
      "gs://bucket/key",
      "\\\\host\\share",
      "C:\\boot.ini",
    ],
    ...["%00", "a%00b", "%0d%0aX-Injected:%201", "%ff%fe", "%", "%zz", "%u202e", "__proto__", "constructor"],
    ...[
      "file-",
      "batch_",
      "upload_",
      "part_",
      "nerif.db",
      "executor.lock",
      "..",
      ".",
      "-",
      "*",
      "?limit=1",
      "#x",
    ],
    ...["'; drop table files; --", '" or 1=1 --', "<script>alert(1)</script>", "$(id)", "`id`", "{{7*7}}"],
    "file-aaaaaaaaaaaaaaaaaaaaaa",
    "batch_00000000000000000000000000000000",
    "batch_00000000000000000000000000000000.plan",
  ),
  fc.string({ unit: "binary", maxLength: 60 }),
  fc.string({ unit: "grapheme", maxLength: 40 }),
  fc.string({ minLength: 200, maxLength: 3_000 }),
  fc.stringMatching(/^file-[A-Za-z0-9]{20,24}$/),
  fc.stringMatching(/^(batch|upload|part|whe)_[0-9a-fA-F]{30,34}$/),
);

/** A path segment: sometimes escaped, sometimes twice, sometimes as it is where a request line can hold it. */
const segment = fc
  .tuple(hostileText, fc.constantFrom("once", "twice", "raw"))
  .map(([text, how]) => (how === "raw" ? rawSegment(text) : escaped(text, how === "twice" ? 2 : 1)));

const routes: readonly [string, (id: string) => string][] = [
  ["GET", (id) => `/v1/files/${id}`],
  ["DELETE", (id) => `/v1/files/${id}`],
  ["GET", (id) => `/v1/files/${id}/content`],
  ["HEAD", (id) => `/v1/files/${id}/content`],
  ["GET", (id) => `/v1/files?after=${id}`],
  ["GET", (id) => `/v1/files?limit=${id}&order=${id}&purpose=${id}`],
  ["GET", (id) => `/v1/batches/${id}`],
  ["POST", (id) => `/v1/batches/${id}/cancel`],
  ["POST", (id) => `/v1/batches/${id}/retry`],
  ["GET", (id) => `/v1/batches/${id}/results`],
  ["GET", (id) => `/v1/batches/${id}/progress`],
  ["GET", (id) => `/v1/batches?after=${id}`],
  ["GET", (id) => `/v1/batches?status=${id}&created_after=${id}&metadata[${id}]=${id}`],
  ["POST", (id) => `/v1/uploads/${id}/parts`],
  ["POST", (id) => `/v1/uploads/${id}/complete`],
  ["POST", (id) => `/v1/uploads/${id}/cancel`],
  ["GET", (id) => `/v1/webhook_endpoints/${id}`],
  ["DELETE", (id) => `/v1/webhook_endpoints/${id}`],
  ["POST", (id) => `/v1/webhook_endpoints/${id}/test`],
  ["GET", (id) => `/openai/files/${id}?api-version=${id}`],
  ["GET", (id) => `/v1/${id}`],
  ["GET", (id) => `/${id}`],
];

export const idCases: fc.Arbitrary<FuzzCase> = fc
  .tuple(fc.constantFrom(...routes), segment)
  .map(([[method, path], id]) => ({ method, path: path(id) }));

const jsonl = '{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{"model":"m","input":"x"}}\n';

/** Uploads that are whole but for the name of the file. */
export const fileNameCases: fc.Arbitrary<FuzzCase> = fc
  .tuple(hostileText, fc.constantFrom("", ".jsonl", ".JSONL", "/x.jsonl", "\u0000.jsonl"))
  .map(([text, ending]) =>
    form("boundary", formBody("boundary", `${text}${ending}`.replaceAll(/["\r\n]/g, "_"))),
  );

/** Forms that were bent: bytes changed, cut out, doubled or put in, headers of other forms. */
export const multipartCases: fc.Arbitrary<FuzzCase> = fc
  .record({
    edits: fc.array(
      fc.record({
        at: fc.double({ min: 0, max: 1, noNaN: true }),
        cut: fc.nat(40),
        put: fc.oneof(
          fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)),
          fc
            .constantFrom(
              "\r\n--boundary",
              "--boundary--",
              "\r\n",
              "\r\n\r\n",
              "--",
              "\0",
              'name="file"',
              'name="purpose"',
            )
            .map((text) => Buffer.from(text)),
        ),
      }),
      { minLength: 1, maxLength: 4 },
    ),
    boundary: fc.constantFrom("boundary", "", "bound", "b".repeat(300), '"boundary"', "boundary; boundary=x"),
    path: fc.constantFrom(
      "/v1/files",
      "/v1/files",
      "/v1/uploads/upload_00000000000000000000000000000000/parts",
    ),
    fields: fc.constantFrom(0, 0, 1, 15, 40),
  })
  .map(({ edits, boundary, path, fields }) => {
    let body = formBody("boundary", "input.jsonl", fields);
    for (const { at, cut, put } of edits) {
      const place = Math.floor(at * body.length);
      body = Buffer.concat([body.subarray(0, place), put, body.subarray(place + cut)]);
    }
    return { ...form(boundary, body), path };
  });

const jsonPaths = [
  "/v1/batches",
  "/v1/uploads",
  "/v1/webhook_endpoints",
  "/v1/uploads/upload_00000000000000000000000000000000/complete",
  "/v1/webhook_endpoints/whe_00000000000000000000000000000000/rotate_secret",
];

const keys = fc.constantFrom(
  ...[
    "input_file_id",
    "endpoint",
    "completion_window",
    "metadata",
    "output_expires_after",
    "filename",
    "purpose",
  ],
  ...[
    "bytes",
    "mime_type",
    "expires_after",
    "part_ids",
    "md5",
    "name",
    "url",
    "event_types",
    "anchor",
    "seconds",
  ],
  ...["__proto__", "constructor", "status", "project", "toString"],
);

const plausible = fc.constantFrom<unknown>(
  ...[
    "/v1/embeddings",
    "24h",
    "batch",
    "input.jsonl",
    "created_at",
    "https://192.0.2.1/hook",
    "batch.completed",
  ],
  ...[3_600, 0, -1, 1e308, null, true, [], {}, "file-aaaaaaaaaaaaaaaaaaaaaa"],
);

const value = fc.oneof(plausible, hostileText, fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<unknown>);

export const jsonCases: fc.Arbitrary<FuzzCase> = fc
  .tuple(
    fc.constantFrom(...jsonPaths),
    fc.oneof(
      fc.dictionary(keys, value, { maxKeys: 8 }).map((object) => Buffer.from(JSON.stringify(object))),
      fc.json().map((text) => Buffer.from(text)),
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
      fc.integer({ min: 1, max: 20_000 }).map((depth) => Buffer.from("[".repeat(depth))),
      fc
        .integer({ min: 1, max: 20_000 })
        .map((depth) => Buffer.from(`{"metadata":${"[".repeat(depth)}${"]".repeat(depth)}}`)),
    ),
    fc.constantFrom("application/json", "text/plain", "application/json; charset=utf-16", ""),
  )
  .map(([path, body, type]) => ({ method: "POST", path, headers: { "content-type": type }, body }));

function form(boundary: string, body: Buffer): FuzzCase {
  const headers = { "content-type": `multipart/form-data; boundary=${boundary}` };
  return { method: "POST", path: "/v1/files", headers, body };
}

function formBody(boundary: string, filename: string, fields = 0): Buffer {
  const part = (head: string, content: string) =>
    `--${boundary}\r\nContent-Disposition: form-data; ${head}\r\n\r\n${content}\r\n`;
  return Buffer.from(
    [
      ...Array.from({ length: fields }, (_, index) => part(`name="extra${index}"`, "x")),
      part('name="purpose"', "batch"),
      part(`name="file"; filename="${filename}"`, jsonl),
      `--${boundary}--\r\n`,
    ].join(""),
  );
}

function escaped(text: string, times: number): string {
  let result = text.toWellFormed();
  for (let time = 0; time < times; time += 1) result = encodeURIComponent(result);
  return result;
}

/** As it is, but for what would end the request line. */
function rawSegment(text: string): string {
  return Buffer.from(text)
    .toString("latin1")
    .replaceAll(/[\0-\x20\x7f]/g, "");
}
