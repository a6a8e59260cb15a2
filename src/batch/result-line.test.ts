import { expect, test } from "vitest";
import { failureLine, neverRunError, successLine } from "./result-line.ts";

const name = { batchId: "batch_6b01f2a0c7d88190a1b2c3d4e5f60718", line: 3, customId: '"a\\u0062\\n"' };
const text = (pieces: Uint8Array[]) => Buffer.concat(pieces).toString();

test("successLine() keeps the answer's bytes and the id as it was written", () => {
  const body = Buffer.from('{"n": 1.0, "big":12345678901234567890}');
  const line = text(successLine(name, { status: 200, requestId: 'r"1', body }));
  expect(line).toContain('"custom_id":"a\\u0062\\n"');
  expect(line).toContain(`"body":${body}},"error":null}`);
  expect(JSON.parse(line)).toMatchObject({
    id: "batch_req_6b01f2a0c7d88190a1b2c3d400000003",
    custom_id: "ab\n",
    response: { status_code: 200, request_id: 'r"1' },
    error: null,
  });
});

test("failureLine() carries both halves, and null where nothing was answered", () => {
  const error = { code: "upstream_http_500", message: 'broken "pipe"', type: "server_error" };
  const answered = JSON.parse(
    text(failureLine(name, { status: 500, requestId: null, body: Buffer.from("{}") }, error)),
  );
  expect(answered.response).toEqual({ status_code: 500, request_id: answered.id.slice(10), body: {} });
  expect(answered.error).toEqual(error);
  const bodiless = JSON.parse(text(failureLine(name, { status: 502, requestId: "x", body: null }, error)));
  expect(bodiless.response.body).toBeNull();
  const unanswered = JSON.parse(text(failureLine(name, null, neverRunError("expired"))));
  expect(unanswered).toMatchObject({ response: null, error: { code: "batch_expired" } });
});
