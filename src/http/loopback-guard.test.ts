import { expect, it } from "vitest";
import { guardLoopback, isLoopbackHost } from "./loopback-guard.ts";

function request(headers: Record<string, string>): Request {
  // `Request` drops headers that only a client may set, such as Host and Origin; the guard reads no more of it.
  return { url: "http://127.0.0.1:8787/", headers: new Headers(headers) } as Request;
}

it.each([
  ["localhost", true],
  ["localhost:8787", true],
  ["LOCALHOST:80", true],
  ["127.0.0.1:8787", true],
  ["127.9.9.9", true],
  ["[::1]:8787", true],
  ["0x7f000001:8787", true],
  ["2130706433", true],
  ["0.0.0.0:8787", false],
  ["10.0.0.1", false],
  ["localhost.example.com", false],
  ["127.0.0.1.example.com", false],
  ["example.com:8787", false],
  ["[::ffff:7f00:1]", false],
  ["localhost@evil.example", false],
  ["localhost/evil", false],
  ["", false],
])("the host %j is loopback: %j", (host, expected) => {
  expect(isLoopbackHost(host)).toBe(expected);
});

it.each([
  [{ host: "localhost:8787" }],
  [{ host: "127.0.0.1:8787", origin: "http://127.0.0.1:8787" }],
  [{ host: "localhost:8787", "sec-fetch-site": "same-origin", origin: "http://localhost:8787" }],
  [{ host: "localhost:8787", "sec-fetch-site": "none" }],
])("the guard lets %j pass", (headers) => {
  expect(() => guardLoopback(request(headers))).not.toThrow();
});

it.each([
  [{ host: "evil.example:8787" }],
  [{ host: "localhost:8787", origin: "http://evil.example" }],
  [{ host: "localhost:8787", origin: "http://localhost:3000" }],
  [{ host: "localhost:8787", origin: "null" }],
  [{ host: "localhost:8787", "sec-fetch-site": "cross-site" }],
  [{ host: "localhost:8787", "sec-fetch-site": "same-site" }],
])("the guard refuses %j", (headers) => {
  expect(() => guardLoopback(request(headers))).toThrow(
    expect.objectContaining({ code: "request_forbidden" }),
  );
});

it("the guard lets any host pass where other machines are served, and still no foreign page", () => {
  expect(() => guardLoopback(request({ host: "nerif.example" }), { anyHost: true })).not.toThrow();
  const foreign = request({ host: "nerif.example", origin: "http://evil.example" });
  expect(() => guardLoopback(foreign, { anyHost: true })).toThrow(
    expect.objectContaining({ code: "request_forbidden" }),
  );
});

it("the guard lets pages of allowed origins pass, on a host that is loopback", () => {
  const isAllowedOrigin = (origin: string) => origin === "https://app.example";
  const headers = { origin: "https://app.example", "sec-fetch-site": "cross-site" };
  const page = request({ host: "localhost:8787", ...headers });
  expect(() => guardLoopback(page, { isAllowedOrigin })).not.toThrow();
  for (const other of [
    { host: "localhost:8787", ...headers, origin: "https://other.example" },
    { host: "app.example", ...headers },
    { host: "localhost:8787", "sec-fetch-site": "cross-site" },
  ]) {
    expect(() => guardLoopback(request(other), { isAllowedOrigin })).toThrow("Cannot accept the request");
  }
});
