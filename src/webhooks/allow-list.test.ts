import { describe, expect, it } from "vitest";
import { parseAllowList } from "./allow-list.ts";

describe("parseAllowList()", () => {
  it("admits the names, addresses and ranges that it names, and nothing else", () => {
    const list = parseAllowList([
      "Hooks.internal.",
      "10.1.0.0/16",
      "192.168.1.5",
      "[fd00::1]",
      "fd01::/32",
      "queue",
      "bücher.de",
    ]);
    for (const name of ["hooks.internal", "HOOKS.internal.", "queue", "xn--bcher-kva.de"])
      expect(list.hasName(name), name).toBe(true);
    for (const name of ["a.hooks.internal", "internal", "10.1.0.1", ""])
      expect(list.hasName(name), name).toBe(false);
    const inside = ["10.1.255.255", "192.168.1.5", "fd00::1", "fd01::ff"];
    for (const address of inside) expect(list.hasAddress(address), address).toBe(true);
    const outside = ["10.2.0.0", "192.168.1.6", "fd00::2", "fd02::", "::ffff:10.1.0.1"];
    for (const address of outside) expect(list.hasAddress(address), address).toBe(false);
  });

  it.each([
    "10.1",
    "10.1.0.0/33",
    "hooks:8080",
    "http://hooks",
    "a b",
    "",
    "*",
    "1.2.3.4.5",
    "0x7f.1",
    "[::1",
    "a/8",
  ])("refuses %j", (entry) => {
    expect(() => parseAllowList([entry])).toThrow(/Cannot use .* as a receiver of webhooks/);
  });
});
