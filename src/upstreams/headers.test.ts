import { expect, test } from "vitest";
import { resolveHeaders } from "./headers.ts";
import type { TextOption } from "./options.ts";

function resolve(headers: Record<string, TextOption>, env = {}) {
  return resolveHeaders(headers, { upstream: "far", env });
}

test("resolveHeaders() reads values from the configuration and from variables, and knows which are secret", () => {
  const { byName, secrets } = resolve(
    { "X-Team": " batch ", "api-key": { env: "KEY" }, Authorization: { env: "AUTH" } },
    { KEY: "k-123\n", AUTH: "Basic dXNlcjpwYXNz" },
  );
  expect([...byName]).toEqual([
    ["x-team", "batch"],
    ["api-key", "k-123"],
    ["authorization", "Basic dXNlcjpwYXNz"],
  ]);
  expect(secrets).toEqual(["k-123", "Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"]);
});

test.each<[string, Record<string, TextOption>, RegExp]>([
  ["the name is none", { "x y": "secret" }, /header "x y" of upstream "far": it is no name/],
  ["it belongs to the connection", { "Content-Length": "secret" }, /Nerif's own/],
  ["it says which line it is", { "idempotency-key": "secret" }, /Nerif's own/],
  ["it is there twice", { "x-a": "secret", "X-A": "secret" }, /twice/],
  ["the value would end the header", { "x-a": "secret\r\nx-b: 1" }, /cannot carry/],
  ["the value is empty", { "x-a": " " }, /is empty/],
  [
    "its variable is not set",
    { "x-a": { env: "NO_SUCH" } },
    /NO_SUCH, which should hold its header x-a, is not set/,
  ],
])("resolveHeaders() refuses when %s, without the value", (_, headers, message) => {
  expect(() => resolve(headers)).toThrow(
    expect.objectContaining({ code: "invalid_configuration", message: expect.stringMatching(message) }),
  );
  expect(() => resolve(headers)).not.toThrow(/secret/);
});
