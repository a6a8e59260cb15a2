import { describe, expect, test } from "vitest";
import { createTestClock } from "../../test/support/clock.ts";
import { createCircuit } from "./circuit.ts";

function setup() {
  const clock = createTestClock();
  return { clock, circuit: createCircuit(clock) };
}

describe("the circuit of a route", () => {
  test("opens when eight different lines have failed in a row", () => {
    const { circuit } = setup();
    for (let line = 0; line < 7; line++) circuit.failed(`${line}`, "unavailable", "503");
    expect(circuit.open).toBeNull();
    circuit.failed("7", "reset", "connection reset");
    expect(circuit.open).toBe("outage");
    expect(circuit.message).toBe("connection reset");
  });

  test("stays closed when one line fails again and again", () => {
    const { circuit } = setup();
    for (let i = 0; i < 50; i++) circuit.failed("poison", "unavailable", "500");
    expect(circuit.open).toBeNull();
  });

  test("starts counting anew after a success", () => {
    const { circuit } = setup();
    for (let line = 0; line < 7; line++) circuit.failed(`${line}`, "timeout", "");
    circuit.succeeded();
    for (let line = 7; line < 14; line++) circuit.failed(`${line}`, "timeout", "");
    expect(circuit.open).toBeNull();
  });

  test("opens at once when nobody accepts connections", () => {
    const { circuit } = setup();
    circuit.failed("0", "refused", "refused");
    expect([circuit.open, circuit.reason]).toEqual(["outage", "unreachable"]);
  });

  test("lets one probe through at a time, later after each failure, and closes on a success", () => {
    const { circuit, clock } = setup();
    circuit.failed("0", "refused", "");
    expect(circuit.waitMs()).toBe(500);
    clock.advance(500);
    expect(circuit.waitMs()).toBe(0);
    circuit.sent();
    expect(circuit.waitMs()).toBeNull();
    circuit.failed("1", "refused", "");
    expect(circuit.waitMs()).toBe(1000);
    for (let i = 0; i < 10; i++) {
      clock.advance(60_000);
      circuit.sent();
      circuit.failed("1", "refused", "");
    }
    expect(circuit.waitMs()).toBe(15_000);
    circuit.sent();
    circuit.succeeded();
    expect(circuit.open).toBeNull();
    expect(circuit.waitMs()).toBe(0);
  });

  test("does not wait longer for calls that were in flight when it opened", () => {
    const { circuit } = setup();
    circuit.failed("0", "refused", "");
    for (let line = 1; line < 64; line++) circuit.failed(`${line}`, "refused", "");
    expect(circuit.waitMs()).toBe(500);
  });

  test("opens for the account when two different lines are refused, and allows the next probe when one tells nothing", () => {
    const { circuit, clock } = setup();
    circuit.succeeded();
    circuit.failed("0", "account", "401");
    circuit.failed("0", "account", "401");
    expect(circuit.open).toBeNull();
    circuit.failed("1", "account", "401");
    expect([circuit.open, circuit.reason]).toEqual(["account", "account"]);
    clock.advance(1_000);
    circuit.sent();
    circuit.inconclusive();
    expect(circuit.waitMs()).toBe(1_000);
  });

  test("suspects the account at once when nothing has succeeded yet, and says so when a probe has confirmed it", () => {
    const { circuit, clock } = setup();
    circuit.failed("0", "account", "401");
    expect([circuit.open, circuit.reason]).toEqual(["account", null]);
    clock.advance(1_000);
    circuit.sent();
    circuit.failed("0", "account", "401");
    expect(circuit.reason).toBe("account");
    circuit.succeeded();
    expect([circuit.open, circuit.reason]).toEqual([null, null]);
  });
});
