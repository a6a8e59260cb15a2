import { describe, expect, test } from "vitest";
import { answerOf, type Reply } from "./outcome.ts";
import { createSecret } from "./secret.ts";
import type { Answer } from "./upstream.ts";

const now = Date.parse("2026-05-01T12:00:00Z");

function answer(reply: { status?: number; headers?: Reply["headers"]; body: unknown }, key?: string): Answer {
  const { status = 200, headers = {}, body } = reply;
  const text = typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  const secret = key === undefined ? null : createSecret([key]);
  return answerOf({ status, headers, body: Buffer.from(text as string) }, { secret, now });
}

function bodyOf({ body }: Answer): string {
  return Buffer.from(body ?? []).toString();
}

describe("answerOf()", () => {
  test("makes raw newlines spaces and leaves all else", () => {
    const sent = '\n{\r\n  "a": "x\\ny",\n  "n": 12345678901234567890,\n  "choices": []\n}\n';
    expect(bodyOf(answer({ body: sent }))).toBe(sent.replace(/[\r\n]/g, " "));
    expect(bodyOf(answer({ body: '{"a":1}\r' }))).toBe('{"a":1} ');
  });

  test("reads the usage of chat and of responses", () => {
    const chat = { prompt_tokens: 5, completion_tokens: 2, prompt_tokens_details: { cached_tokens: 4 } };
    expect(answer({ body: { usage: chat } })).toMatchObject({
      tokens: { input: 5, cached: 4, output: 2, total: 7 },
    });
    const response = { input_tokens: 5, output_tokens: 2, output_tokens_details: { reasoning_tokens: 1 } };
    expect(answer({ body: { usage: response } })).toMatchObject({
      tokens: { input: 5, output: 2, reasoning: 1 },
    });
    expect(answer({ body: { id: "x" } })).toMatchObject({ ok: true, tokens: null });
  });

  test.each([
    ["no payload", { error: { message: "m" } }, false],
    ["a payload of null", { error: { message: "m" }, choices: null }, false],
    ["an error of text", { error: "out of memory" }, false],
    ["an error of null", { error: null }, true],
    ["an error beside choices", { error: { message: "m" }, choices: [] }, true],
    ["an error beside data", { error: { message: "m" }, data: [] }, true],
    ["an error beside output", { error: { message: "m" }, output: [] }, true],
    ["an error beside results", { error: { message: "m" }, results: [] }, true],
  ])("judges a 200 with %s", (_, body, ok) => {
    expect(answer({ body }).ok).toBe(ok);
  });

  test("keeps code, message and type of the upstream", () => {
    const error = {
      message: "Too long",
      type: "invalid_request_error",
      param: null,
      code: "context_length_exceeded",
    };
    expect(answer({ status: 400, body: { error } })).toMatchObject({
      reason: "rejected",
      error: { code: "context_length_exceeded", message: "Too long", type: "invalid_request_error" },
    });
    expect(bodyOf(answer({ status: 400, body: { error } }))).toBe(JSON.stringify({ error }));
  });

  test.each([
    [{ object: "error", message: "bare", type: "NotFoundError", code: 404 }, "bare"],
    [{ error: "only text" }, "only text"],
    [{ detail: "Not Found" }, "Not Found"],
    [[], "The upstream answered with status 404"],
    ["null", "The upstream answered with status 404"],
  ])("finds the message in %j", (body, message) => {
    expect(answer({ status: 404, body })).toMatchObject({ error: { code: "upstream_http_404", message } });
  });

  test.each([
    [429, { code: "insufficient_quota" }],
    [429, { type: "insufficient_quota", code: null }],
    [400, { code: "billing_hard_limit_reached" }],
    [200, { code: "insufficient_quota" }],
    [401, { code: null }],
    [402, { code: null }],
    [403, { code: "invalid_api_key" }],
  ])("calls status %i with %j a matter of the account", (status, error) => {
    expect(answer({ status, body: { error } })).toMatchObject({ ok: false, reason: "account" });
  });

  test.each([
    [200, "unavailable"],
    [404, "unavailable"],
    [500, "unavailable"],
    [429, "throttled"],
    [401, "account"],
    [302, "rejected"],
  ])("stores the beginning of a body that is not JSON under status %i", (status, reason) => {
    const body = `<html>${"é".repeat(2_000)}`;
    const failure = answer({ status, body });
    expect(failure).toMatchObject({
      ok: false,
      status,
      reason,
      error: { code: "invalid_upstream_response" },
    });
    expect(JSON.parse(bodyOf(failure))).toEqual({
      error: {
        message: body.slice(0, 1_000),
        type: "upstream_error",
        param: null,
        code: "invalid_upstream_response",
      },
    });
  });

  test.each([
    ["nothing", Buffer.alloc(0)],
    ["invalid UTF-8", Buffer.from([0x22, 0xff, 0x22])],
    ["half a JSON text", Buffer.from('{"choices":[')],
    ["two JSON texts", Buffer.from("{}{}")],
    ["a zero byte", Buffer.from("{}\0")],
    ["a raw newline in a string", Buffer.from('{"a":"\n"}')],
  ])("does not take %s for JSON", (_, body) => {
    const failure = answer({ body });
    expect(failure).toMatchObject({ ok: false, reason: "unavailable" });
    expect(() => JSON.parse(bodyOf(failure))).not.toThrow();
  });

  test("survives nesting of any depth", () => {
    expect(answer({ body: "[".repeat(200_000) + "]".repeat(200_000) }).ok).toBe(true);
  });

  test("does not cut a character in half", () => {
    const failure = answer({ status: 500, body: `${"x".repeat(999)}😀` });
    expect(JSON.parse(bodyOf(failure)).error.message).toBe(`${"x".repeat(999)}\ufffd`);
  });

  test("takes the request id of the upstream, and none where none is", () => {
    expect(answer({ body: {}, headers: { "x-request-id": "req_1" } }).requestId).toBe("req_1");
    expect(answer({ body: {}, headers: { "x-request-id": ["req_1", "req_2"] } }).requestId).toBe("req_1");
    expect(answer({ body: {} }).requestId).toBeNull();
  });
});

describe("a secret", () => {
  const key = "sk-canary/0123456789+abc=";

  test.each([
    ["plain", key],
    ["with escaped slashes", key.replaceAll("/", "\\/")],
    [
      "with escapes of a cautious writer",
      key.replaceAll("+", "\\u002b").replaceAll("/", "\\u002f").replaceAll("=", "\\u003d"),
    ],
    [
      "with capital escapes",
      key.replaceAll("+", "\\u002B").replaceAll("/", "\\u002F").replaceAll("=", "\\u003D"),
    ],
  ])("is blanked in every answer when it comes back %s", (_, spelt) => {
    for (const status of [200, 400, 500]) {
      const body = `{"choices":[],"error":{"message":"Bad ${spelt} and ${spelt}","code":"${spelt}"}}`;
      const got = answer({ status, body, headers: { "x-request-id": `id ${key}` } }, key);
      const all = JSON.stringify([got, JSON.parse(bodyOf(got))]);
      expect(all).not.toContain(key);
      expect(all).toContain("****");
    }
  });

  test("is blanked before the body is cut", () => {
    const body = `${"x".repeat(990)}${key}`;
    expect(bodyOf(answer({ status: 500, body }, key))).not.toContain(key.slice(0, 10));
  });

  test("is no secret, and no answer is damaged, when it is a placeholder", () => {
    const body = '{"choices":["none, not-needed"]}';
    expect(bodyOf(answer({ body }, "none"))).toBe(body);
    expect(bodyOf(answer({ body }, "not-needed"))).toBe(body);
    expect(bodyOf(answer({ status: 400, body: '{"error":null}' }, "null"))).toBe('{"error":null}');
  });

  test("is blanked in failures even when it is short", () => {
    expect(bodyOf(answer({ status: 400, body: '{"error":"secret1"}' }, "secret1"))).toBe(
      '{"error":"*******"}',
    );
    expect(bodyOf(answer({ status: 200, body: '{"error":"secret1"}' }, "secret1"))).toBe(
      '{"error":"*******"}',
    );
  });
});

describe("the wish to wait", () => {
  test.each([
    [429, { "retry-after": "2" }, 2_000],
    [503, { "retry-after": "0.5" }, 500],
    [500, { "retry-after": "2" }, null],
    [429, { "retry-after": "2", "retry-after-ms": "150" }, 150],
    [429, { "retry-after": "Fri, 01 May 2026 12:00:09 GMT" }, 9_000],
    [429, { "retry-after": "Fri, 01 May 2026 11:00:00 GMT" }, 0],
    [429, { "retry-after": "Fri, 01 May 2026 11:00:05 GMT", date: "Fri, 01 May 2026 11:00:00 GMT" }, 5_000],
    [429, { "retry-after": "999999999999" }, 86_400_000],
    [429, { "retry-after": "-5" }, null],
    [429, { "retry-after": "soon" }, null],
    [429, { "retry-after": "NaN", "retry-after-ms": "Infinity" }, null],
    [429, {}, null],
  ])("of status %i with %j is %j ms", (status, headers, ms) => {
    expect(answer({ status, headers, body: {} })).toMatchObject({ retryAfterMs: ms });
    expect(answer({ status, headers, body: "no JSON" })).toMatchObject({ retryAfterMs: ms });
  });
});
