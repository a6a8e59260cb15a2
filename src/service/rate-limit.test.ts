import { expect, it } from "vitest";
import { createTestClock } from "../../test/support/clock.ts";
import { anApiKey } from "../../test/support/control-rows.ts";
import { noQuotas } from "../batch/api-key.ts";
import { createRateLimit } from "./rate-limit.ts";

const keyOf = (requests_per_second: number | null) =>
  anApiKey({ quotas: { ...noQuotas, requests_per_second } });

it("a rate lets twice its requests come at once and then as many as flow in", () => {
  const clock = createTestClock();
  const limit = createRateLimit(clock);
  const key = keyOf(10);
  for (let request = 0; request < 20; request++) limit.take(key);
  expect(() => limit.take(key)).toThrow(
    expect.objectContaining({ code: "rate_limit_exceeded", retryAfterMs: 100 }),
  );
  clock.advance(250);
  limit.take(key);
  limit.take(key);
  expect(() => limit.take(key)).toThrow(expect.objectContaining({ retryAfterMs: 50 }));
  clock.advance(3_600_000);
  for (let request = 0; request < 20; request++) limit.take(key);
  expect(() => limit.take(key)).toThrow("this API key may make 10 requests per second");
});

it("a rate below one in a second lets single requests pass", () => {
  const clock = createTestClock();
  const limit = createRateLimit(clock);
  const key = keyOf(0.1);
  limit.take(key);
  expect(() => limit.take(key)).toThrow(expect.objectContaining({ retryAfterMs: 10_000 }));
  clock.advance(10_000);
  limit.take(key);
});

it("a rate counts each key by itself, and those without a rate not at all", () => {
  const limit = createRateLimit(createTestClock());
  const [one, other, free] = [keyOf(0.5), keyOf(0.5), keyOf(null)];
  limit.take(one);
  limit.take(other);
  expect(() => limit.take(one)).toThrow();
  for (let request = 0; request < 1_000; request++) limit.take(free);
});
