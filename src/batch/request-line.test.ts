import { describe, expect, test } from "vitest";
import { endpoints } from "./limits.ts";
import { checkRequestLine, type LineCheck, readString } from "./request-line.ts";

const good = {
  custom_id: "row-1",
  method: "POST",
  url: "/v1/chat/completions",
  body: { model: "my-model", messages: [] as unknown[] },
};

describe("checkRequestLine()", () => {
  test("says where everything stands in a good line", () => {
    const text = ` {"url":"/v1/embeddings", "body" : {"input":"ü","model":"m\\u00fc"} ,"custom_id":"ä\\n1","method":"POST"}`;
    const bytes = Buffer.from(text);
    const check = checkRequestLine(bytes);
    if (!check.ok) throw new Error(JSON.stringify(check.errors));
    const { model, endpoint, ...places } = check.request;
    const slice = (start: number, end: number) => bytes.toString("utf8", start, end);
    expect({ model, endpoint }).toEqual({
      model: "mü",
      endpoint: "/v1/embeddings",
    });
    expect(slice(places.bodyStart, places.bodyEnd)).toBe('{"input":"ü","model":"m\\u00fc"}');
    expect(slice(places.idStart, places.idEnd)).toBe('"ä\\n1"');
    expect(slice(places.modelStart, places.modelEnd)).toBe('"m\\u00fc"');
    expect(readString(bytes, places.idStart, places.idEnd)).toBe("ä\n1");
  });

  test.each(endpoints)("accepts lines for %s", (url) => {
    expect(checkLine({ ...good, url })).toMatchObject({
      ok: true,
      request: { endpoint: url, model: "my-model" },
    });
  });

  test.each(endpoints)("takes a url without /v1 for %s, escaped or not", (endpoint) => {
    const url = endpoint.slice("/v1".length);
    for (const text of [
      JSON.stringify({ ...good, url }),
      JSON.stringify({ ...good, url }).replaceAll("/", "\\/"),
    ]) {
      expect(checkText(text)).toMatchObject({ ok: true, request: { endpoint } });
      expect(checkRequestLine(Buffer.from(text), { onlyEndpoint: endpoint }).ok).toBe(true);
    }
  });

  test("accepts keys and values that are written with escapes", () => {
    const text = String.raw`{"custom\u005fid":"\u0061","\u006dethod":"PO\u0053T","url":"\/v1\/chat\/completions","\u0062ody":{"m\u006fdel":"\u006d"}}`;
    expect(checkText(text)).toMatchObject({
      ok: true,
      request: { endpoint: "/v1/chat/completions", model: "m" },
    });
  });

  test("takes __proto__ as an id and as a key like any other", () => {
    const text =
      '{"__proto__":{"url":"x"},"custom_id":"__proto__","method":"POST","url":"/v1/completions","body":{"model":"__proto__","__proto__":{"stream":true}}}';
    expect(checkText(text)).toMatchObject({
      ok: true,
      request: { model: "__proto__" },
    });
  });

  test("lets moderations do without a model", () => {
    const line = { ...good, url: "/v1/moderations" };
    const none = { ok: true, request: { model: null, modelStart: 0, modelEnd: 0 } };
    expect(checkLine({ ...line, body: { input: "x" } })).toMatchObject(none);
    expect(checkLine({ ...line, body: { input: "x", model: null } })).toMatchObject(none);
    expect(errorsOf(checkLine({ ...line, body: { model: 5 } }))).toEqual(["invalid_request body.model"]);
  });

  test.each([
    ["not JSON", "hello"],
    ["an array", "[]"],
    ["a string", '"x"'],
    ["a number", "5"],
    ["null", "null"],
    ["half a line", '{"custom_id":"a"'],
    ["two objects", "{}{}"],
    ["a NUL", '{"custom_id":"\0"}'],
    ["a BOM in the middle of the file", `\ufeff${JSON.stringify(good)}`],
    ["bytes that are not UTF-8", Buffer.from(JSON.stringify(good).replace("row-1", "\u00ff"), "latin1")],
    ["half a surrogate pair in bytes", Buffer.from('{"custom_id":"\u00ed\u00a0\u0080"}', "latin1")],
  ])("refuses %s as invalid_json_line", (_what, line) => {
    expect(checkRequestLine(Buffer.from(line))).toMatchObject({
      ok: false,
      errors: [
        { code: "invalid_json_line", message: "This line is not parseable as valid JSON.", param: null },
      ],
    });
  });

  test("refuses 200,000 levels of nesting and names the limit", () => {
    const deep = `{"custom_id":"a","body":{"x":${"[".repeat(200_000)}${"]".repeat(200_000)}}}`;
    expect(checkText(deep)).toMatchObject({
      ok: false,
      errors: [
        {
          code: "invalid_request",
          message: "This line is nested deeper than the maximum of 512 levels.",
          param: null,
        },
      ],
    });
  });

  test("reports everything that is missing", () => {
    expect(checkText("{}")).toMatchObject({
      ok: false,
      errors: ["custom_id", "method", "url", "body"].map((key) => ({
        code: "missing_required_parameter",
        message: `Missing required parameter: '${key}'.`,
        param: key,
      })),
    });
  });

  test.each([
    [null, "it is null"],
    [17, "it is a number"],
    [["a"], "it is an array"],
    ["", "it is empty"],
    ["x".repeat(513), "it has 513 bytes"],
    ["ü".repeat(257), "it has 514 bytes"],
  ])("refuses the custom_id %j", (custom_id, reason) => {
    expect(checkLine({ ...good, custom_id })).toMatchObject({
      ok: false,
      errors: [
        {
          code: "invalid_custom_id",
          message: `The custom_id for this request must be a string of 1 to 512 bytes, but ${reason}.`,
          param: "custom_id",
        },
      ],
    });
  });

  test.each(["x".repeat(512), "ü".repeat(256), "\\u0000".repeat(512)])(
    "accepts a custom_id of 512 bytes",
    (id) => {
      expect(checkText(JSON.stringify(good).replace("row-1", id)).ok).toBe(true);
    },
  );

  test.each([
    ["GET", "'GET'"],
    ["post", "'post'"],
    [null, "null"],
    [{}, "an object"],
  ])("refuses the method %j", (method, shown) => {
    expect(checkLine({ ...good, method })).toMatchObject({
      ok: false,
      errors: [
        {
          code: "invalid_method",
          message: `Invalid method: ${shown}. Only 'POST' is supported.`,
          param: "method",
        },
      ],
    });
  });

  test.each([
    "/v1/images/generations",
    "/v1/chat/completions/",
    "https://evil.test/v1/embeddings",
    "//v1/embeddings",
    "//embeddings",
    "embeddings",
    "/v1/v1/embeddings",
    "/embeddings/",
    "",
    1,
  ])("refuses the url %j", (url) => {
    expect(errorsOf(checkLine({ ...good, url }))).toEqual(["invalid_url url"]);
  });

  test("shows at most 100 letters of a value in a message", () => {
    const check = checkLine({ ...good, url: "/".repeat(1_000_000) });
    expect(check.ok || (check.errors[0]?.message.length ?? 0)).toBeLessThan(400);
  });

  test("refuses another endpoint than the batch's where lines have to name it", () => {
    const message = "The URL provided for this request does not match the batch endpoint.";
    const check = checkRequestLine(toBytes(good), { onlyEndpoint: "/v1/embeddings" });
    expect(check).toMatchObject({ ok: false, errors: [{ code: "invalid_url", message, param: "url" }] });
    expect(checkRequestLine(toBytes(good), { onlyEndpoint: "/v1/chat/completions" }).ok).toBe(true);
  });

  test.each([
    ["a string", "text"],
    ["an array", []],
    ["null", null],
    ["a boolean", true],
    ["a number", -1],
  ])("refuses %s as body", (kind, body) => {
    expect(checkLine({ ...good, body })).toMatchObject({
      ok: false,
      errors: [
        {
          code: "invalid_type",
          message: `Invalid type for 'body': expected an object, but got ${kind} instead.`,
          param: "body",
        },
      ],
    });
  });

  test.each([undefined, null, "", 5, {}])("refuses the model %j", (model) => {
    expect(checkLine({ ...good, body: { model } })).toMatchObject({
      ok: false,
      errors: [{ code: "invalid_request", message: "Model parameter is required.", param: "body.model" }],
    });
  });

  test("refuses a model name of more than 1,024 bytes", () => {
    expect(errorsOf(checkLine({ ...good, body: { model: "m".repeat(1025) } }))).toEqual([
      "invalid_request body.model",
    ]);
    expect(checkLine({ ...good, body: { model: "m".repeat(1024) } }).ok).toBe(true);
  });

  test.each(["m\0", "\ud800"])("refuses the model %j", (model) => {
    expect(errorsOf(checkLine({ ...good, body: { model } }))).toEqual(["invalid_request body.model"]);
  });

  test("refuses a stream and nothing that only looks like one", () => {
    expect(checkLine({ ...good, body: { ...good.body, stream: true } })).toMatchObject({
      ok: false,
      errors: [
        {
          code: "streaming_unsupported",
          message: "Chat Completions: Streaming is not supported in the Batch API.",
          param: "body.stream",
        },
      ],
    });
    for (const stream of [false, null]) {
      expect(checkLine({ ...good, body: { ...good.body, stream } }).ok).toBe(true);
    }
    expect(checkLine({ ...good, stream: true, body: { ...good.body, x: { stream: true } } }).ok).toBe(true);
  });

  test("refuses repeated keys, the inner ones by their full name", () => {
    const line = (top: string, inner: string) =>
      `{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{"model":"m"${inner}}${top}}`;
    const cases: [string, string][] = [
      [line(',"custom_id":"b"', ""), "custom_id"],
      [line(',"method":"POST"', ""), "method"],
      [line(',"u\\u0072l":"x"', ""), "url"],
      [line(',"body":{"model":"m"}', ""), "body"],
      [line("", ',"mod\\u0065l":"n"'), "body.model"],
      [line("", ',"stream":false,"stream":false'), "body.stream"],
    ];
    for (const [text, param] of cases)
      expect(errorsOf(checkText(text))).toEqual([`invalid_request ${param}`]);
    expect(checkText(line(',"x":1,"x":2,"model":1,"model":2', ',"x":1,"x":2,"url":1,"url":2')).ok).toBe(true);
  });

  test("tells the id of a line that is refused for another reason", () => {
    expect(checkLine({ ...good, method: "GET" })).toMatchObject({
      ok: false,
      id: { idStart: 13, idEnd: 20 },
    });
    expect(checkLine({ ...good, custom_id: "" })).toMatchObject({ ok: false, id: null });
    expect(checkText("x")).toMatchObject({ ok: false, id: null });
  });

  test("reports several things that are wrong with one line", () => {
    const check = checkLine({ method: "GET", url: "/v1/embeddings", body: { stream: true } });
    expect(errorsOf(check)).toEqual([
      "missing_required_parameter custom_id",
      "invalid_method method",
      "invalid_request body.model",
      "streaming_unsupported body.stream",
    ]);
  });
});

function toBytes(line: object): Buffer {
  return Buffer.from(JSON.stringify(line));
}

function checkLine(line: object): LineCheck {
  return checkRequestLine(toBytes(line));
}

function checkText(text: string): LineCheck {
  return checkRequestLine(Buffer.from(text));
}

function errorsOf(check: LineCheck): string[] {
  return check.ok ? [] : check.errors.map(({ code, param }) => `${code} ${param}`);
}
