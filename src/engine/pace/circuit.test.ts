import { describe, expect, test } from "vitest";
import type { FailureReason } from "../../upstreams/upstream.ts";
import { createCircuit } from "./circuit.ts";

function setup() {
  const circuit = createCircuit();
  let now = 0;
  return {
    circuit,
    fail: (line: string, reason: FailureReason, message = "", status: number | null = null) =>
      circuit.failed(line, { reason, status, message }, now),
    inconclusive: () => circuit.inconclusive(now),
    testFailed: () => circuit.testFailed(now),
    waitMs: () => circuit.waitMs(now),
    advance(ms: number) {
      now += ms;
    },
  };
}

describe("the circuit of a route", () => {
  test("opens when eight different lines have failed in a row", () => {
    const { circuit, fail } = setup();
    for (let line = 0; line < 7; line++) fail(`${line}`, "unavailable", "503");
    expect(circuit.open).toBeNull();
    fail("7", "reset", "connection reset");
    expect(circuit.open).toBe("outage");
    expect(circuit.message).toBe("connection reset");
  });

  test("stays closed when one line fails again and again", () => {
    const { circuit, fail } = setup();
    for (let i = 0; i < 50; i++) fail("poison", "unavailable", "500");
    expect(circuit.open).toBeNull();
  });

  test("starts counting anew after a success", () => {
    const { circuit, fail } = setup();
    for (let line = 0; line < 7; line++) fail(`${line}`, "timeout", "");
    circuit.succeeded();
    for (let line = 7; line < 14; line++) fail(`${line}`, "timeout", "");
    expect(circuit.open).toBeNull();
  });

  test("opens at once when nobody accepts connections", () => {
    const { circuit, fail } = setup();
    fail("0", "refused", "refused");
    expect([circuit.open, circuit.reason]).toEqual(["outage", "unreachable"]);
  });

  test("lets one probe through at a time, later after each failure, and closes on a success", () => {
    const { circuit, fail, waitMs, advance } = setup();
    fail("0", "refused", "");
    expect(waitMs()).toBe(500);
    advance(500);
    expect(waitMs()).toBe(0);
    circuit.sent();
    expect(waitMs()).toBe(Number.POSITIVE_INFINITY);
    fail("1", "refused", "");
    expect(waitMs()).toBe(1000);
    for (let i = 0; i < 10; i++) {
      advance(60_000);
      circuit.sent();
      fail("1", "refused", "");
    }
    expect(waitMs()).toBe(15_000);
    circuit.sent();
    circuit.succeeded();
    expect(circuit.open).toBeNull();
    expect(waitMs()).toBe(0);
  });

  test("does not wait longer for calls that were in flight when it opened", () => {
    const { fail, waitMs } = setup();
    fail("0", "refused", "");
    for (let line = 1; line < 64; line++) fail(`${line}`, "refused", "");
    expect(waitMs()).toBe(500);
  });

  test("opens for the account when two different lines are refused, and allows the next probe when one tells nothing", () => {
    const { circuit, fail, waitMs, advance, inconclusive } = setup();
    circuit.succeeded();
    fail("0", "account", "401");
    fail("0", "account", "401");
    expect(circuit.open).toBeNull();
    fail("1", "account", "401");
    expect([circuit.open, circuit.reason]).toEqual(["account", "account"]);
    advance(1_000);
    circuit.sent();
    inconclusive();
    expect(waitMs()).toBe(1_000);
  });

  test("suspects the account at once when nothing has succeeded yet, and says so when a probe has confirmed it", () => {
    const { circuit, fail, advance } = setup();
    fail("0", "account", "401");
    expect([circuit.open, circuit.reason]).toEqual(["account", null]);
    advance(1_000);
    circuit.sent();
    fail("0", "account", "401");
    expect(circuit.reason).toBe("account");
    circuit.succeeded();
    expect([circuit.open, circuit.reason]).toEqual([null, null]);
  });

  test("looks every 2.7 s into an outage of a minute, and less often into a long one", () => {
    const { circuit, fail, waitMs, advance } = setup();
    fail("0", "refused");
    let [probes, passed] = [0, 0];
    for (; passed < 60_000; probes += 1) {
      passed += waitMs();
      advance(waitMs());
      circuit.sent();
      fail("0", "refused");
    }
    expect(probes).toBeLessThanOrEqual(26);
    expect(waitMs()).toBeLessThan(2_900);
    advance(600_000);
    circuit.sent();
    fail("0", "refused");
    expect(waitMs()).toBe(15_000);
  });

  test("wants a probe of our own when two in a row with lines that had failed before have told nothing new", () => {
    const { circuit, fail, testFailed, waitMs, advance } = setup();
    for (let line = 0; line < 8; line++) fail(`${line}`, "unavailable");
    function probe(line: string): boolean {
      advance(waitMs());
      circuit.sent();
      fail(line, "unavailable");
      return circuit.wantsTest;
    }
    expect([probe("0"), probe("8"), probe("0"), probe("1")]).toEqual([false, false, false, true]);
    advance(waitMs());
    circuit.sent();
    testFailed();
    expect(circuit.wantsTest).toBe(false);
    expect(waitMs()).toBe(2_700);
    expect([probe("2"), probe("3")]).toEqual([false, true]);
    circuit.succeeded();
    expect([circuit.open, circuit.wantsTest]).toEqual([null, false]);
  });

  test("wants none of our own where nobody accepts connections, and none for the account", () => {
    for (const reason of ["refused", "account"] as const) {
      const { circuit, fail } = setup();
      for (let i = 0; i < 5; i++) {
        circuit.sent();
        fail("0", reason);
      }
      expect([circuit.open === null, circuit.wantsTest]).toEqual([false, false]);
    }
  });

  test("asks by itself whether a 403 is meant for the account where no other line can tell", () => {
    const { circuit, fail, testFailed, waitMs, advance } = setup();
    circuit.succeeded();
    function probe(line: string): [string | null, boolean] {
      advance(waitMs());
      circuit.sent();
      fail(line, "account", "", 403);
      return [circuit.reason, circuit.wantsTest];
    }
    for (const line of ["0", "1"]) fail(line, "account", "", 403);
    expect([circuit.open, circuit.reason, circuit.wantsTest]).toEqual(["account", null, false]);
    expect([probe("0"), probe("1")]).toEqual([
      [null, false],
      [null, true],
    ]);
    advance(waitMs());
    circuit.sent();
    testFailed();
    expect([circuit.reason, circuit.wantsTest]).toEqual(["account", false]);
    circuit.succeeded();
    for (const line of ["0", "1"]) fail(line, "account", "", 403);
    expect(probe("2")).toEqual(["account", false]);
  });

  test("asks by itself when the few lines that are left fail otherwise than those that opened it", () => {
    for (const [first, then, succeeded] of [
      ["account", "unavailable", false],
      ["refused", "account", true],
    ] as const) {
      const { circuit, fail, waitMs, advance } = setup();
      if (succeeded) circuit.succeeded();
      fail("0", first);
      let probes = 0;
      for (; !circuit.wantsTest && probes < 10; probes += 1) {
        advance(waitMs());
        circuit.sent();
        fail("0", then);
      }
      expect(probes).toBe(3);
    }
  });

  test("takes a single refusal of the account in an outage for no trouble of the account", () => {
    const { circuit, fail, waitMs, advance } = setup();
    circuit.succeeded();
    for (let line = 0; line < 8; line++) fail(`${line}`, "unavailable");
    fail("8", "account");
    expect(circuit.reason).toBe("outage");
    advance(waitMs());
    circuit.sent();
    fail("8", "account");
    expect(circuit.reason).toBe("outage");
    expect(waitMs()).toBeGreaterThan(0);
    fail("9", "account");
    expect(circuit.reason).toBe("account");
  });

  test("counts the lines that fail in a row as doubts, before it opens", () => {
    const { circuit, fail } = setup();
    fail("0", "unavailable");
    fail("0", "unavailable");
    fail("1", "unavailable");
    expect(circuit.doubts).toBe(2);
    circuit.succeeded();
    expect(circuit.doubts).toBe(0);
  });
});
