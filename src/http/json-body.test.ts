import { expect, it } from "vitest";
import { readJsonObject } from "./json-body.ts";

function request(body: ReadableStream<Uint8Array> | string | null): Request {
  return new Request("http://localhost/", { method: "POST", body, duplex: "half" });
}

function trickle(next: (controller: ReadableStreamDefaultController<Uint8Array>) => void) {
  return new ReadableStream<Uint8Array>({ pull: next });
}

it("a body is read whole, whatever its pieces", async () => {
  const bytes = Buffer.from('{"a":"ü"}');
  let at = 0;
  const body = trickle((controller) => {
    if (at === bytes.length) controller.close();
    else controller.enqueue(new Uint8Array(bytes.subarray(at, ++at)));
  });
  expect(await readJsonObject(request(body))).toEqual({ a: "ü" });
});

it.each(["[]", "null", "1", '"x"', "", "{", '{"a":1}x', "\u0000"])("the body %j is refused", async (text) => {
  await expect(readJsonObject(request(text))).rejects.toMatchObject({ code: "invalid_request" });
});

it("a missing body is refused", async () => {
  await expect(readJsonObject(request(null))).rejects.toMatchObject({ code: "invalid_request" });
});

it("a body that trickles in is given up, though its pauses are short", async () => {
  const body = trickle(async (controller) => {
    await new Promise(setImmediate);
    controller.enqueue(Buffer.from(" "));
  });
  await expect(readJsonObject(request(body), { withinMs: 50 })).rejects.toMatchObject({
    code: "aborted",
    message: "Cannot read the body of the request: it took longer than 0.05 s",
  });
});

it("a body that breaks off is the client's fault", async () => {
  const body = trickle((controller) => controller.error(new Error("ECONNRESET")));
  await expect(readJsonObject(request(body))).rejects.toMatchObject({ code: "aborted" });
});

it("a body without an end is refused at its first byte too many", async () => {
  const piece = Buffer.alloc(64 * 1024, " ");
  const body = trickle((controller) => controller.enqueue(new Uint8Array(piece)));
  await expect(readJsonObject(request(body))).rejects.toMatchObject({ code: "request_too_large" });
});
