import { describe, expect, test } from "vitest";
import { createScriptedServer, type Rule } from "./script.ts";

function setup(rules: Rule[]) {
  const server = createScriptedServer(rules, () => 0.5);
  const started: number[] = [];
  const arrive = (now: number, { model = "m", text = "" } = {}) =>
    server.arrive({ now, model, text }, (ms) => started.push(ms));
  return { server, started, arrive };
}

describe("createScriptedServer()", () => {
  test("works on as many as it has slots, and lets the others in one by one", () => {
    const { server, started, arrive } = setup([{ slots: 2, latency: { kind: "fixed", ms: 50 } }]);
    const [first] = [arrive(0), arrive(0), arrive(0)];
    expect(started).toEqual([50, 50]);
    if (first?.type === "work") first.leave();
    server.look(50);
    expect(started).toHaveLength(3);
  });

  test("forgets who gives up while it waits", () => {
    const { server, started, arrive } = setup([{ slots: 1 }]);
    const [first, second] = [arrive(0), arrive(0), arrive(0)];
    if (second?.type === "work") second.leave();
    if (first?.type === "work") first.leave();
    server.look(1);
    expect(started).toHaveLength(2);
    arrive(2);
    expect(started).toHaveLength(2);
  });

  test("refuses those beyond its slots where it is told to, and says nothing about coming back", () => {
    const { arrive } = setup([{ slots: 1, beyond: "refuse" }]);
    arrive(0);
    expect(arrive(0)).toMatchObject({ type: "fail", failure: { status: 429 }, retryAfterMs: null });
  });

  test("counts a rate from second to second, or as a bucket", () => {
    const kinds = (["window", "bucket"] as const).map((kind) => {
      const { arrive } = setup([{ rate: { perSecond: 2, burst: 2, kind } }]);
      return [0, 900, 990, 1_000, 1_010, 1_020].map((now) => arrive(now).type);
    });
    expect(kinds).toEqual([
      ["work", "work", "fail", "work", "work", "fail"],
      ["work", "work", "work", "fail", "fail", "fail"],
    ]);
  });

  test("lets rules begin and end, and choose by model and text", () => {
    const answer = { status: 503, code: null, message: "Down" };
    const { server, arrive } = setup([
      { from: 100, until: 200, answer },
      { model: "other", answer: "hang" },
      { containing: "poison", answer: "reset" },
    ]);
    expect(server.changes).toEqual([100, 200]);
    const types = [0, 100, 199, 200].map((ms) => arrive(1_000 + ms).type);
    expect(types).toEqual(["work", "fail", "fail", "work"]);
    expect(arrive(1_300, { model: "other" }).type).toBe("hang");
    expect(arrive(1_300, { text: "a poison pill" }).type).toBe("reset");
  });
});
