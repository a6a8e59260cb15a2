import { expect, test } from "vitest";
import { createTestClock } from "../../../test/support/clock.ts";
import { createGather } from "./gather.ts";

test("a gather lets the first pass at once and the next ones together when the rest is over", async () => {
  const { clock, passed, pass } = start();
  pass("first");
  await turn();
  pass("second");
  clock.advance(60);
  pass("third");
  await turn();
  expect(passed).toEqual(["first"]);
  clock.advance(40);
  await turn();
  expect(passed).toEqual(["first", "second", "third"]);
  clock.advance(100);
  pass("fourth");
  await turn();
  expect(passed).toHaveLength(4);
});

test("a gather that is opened lets everybody go on, and nobody twice", async () => {
  const { clock, passed, pass, gather } = start();
  pass("first");
  pass("second");
  gather.open();
  await turn();
  expect(passed).toEqual(["first", "second"]);
  pass("third");
  clock.advance(99);
  await turn();
  expect(passed).toHaveLength(2);
  clock.advance(1);
  await turn();
  expect(passed).toEqual(["first", "second", "third"]);
});

function start() {
  const clock = createTestClock();
  const gather = createGather({ clock, restMs: 100 });
  const passed: string[] = [];
  return { clock, gather, passed, pass: (name: string) => void gather.wait().then(() => passed.push(name)) };
}

function turn(): Promise<void> {
  return new Promise(setImmediate);
}
