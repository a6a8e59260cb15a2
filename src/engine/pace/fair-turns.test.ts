import { describe, expect, test } from "vitest";
import { createFairTurns, type Entrant } from "./fair-turns.ts";

function entrant(fields: Partial<Entrant> = {}): Entrant {
  return { project: "default", weight: 1, deadline: Number.POSITIVE_INFINITY, bytes: () => 1, ...fields };
}

/** How many of `count` turns each of the entrants gets. */
function play(entrants: Entrant[], count: number): number[] {
  const turns = createFairTurns();
  for (const each of entrants) turns.enter(each);
  const got = new Map<Entrant, number>(entrants.map((each) => [each, 0]));
  for (let i = 0; i < count; i++) {
    const next = turns.next(0);
    if (next === null) break;
    got.set(next, (got.get(next) ?? 0) + 1);
    turns.served(0);
  }
  return [...got.values()];
}

describe("createFairTurns()", () => {
  test("serves batches evenly, and by their weights", () => {
    expect(play([entrant(), entrant(), entrant()], 300)).toEqual([100, 100, 100]);
    expect(play([entrant({ weight: 1 }), entrant({ weight: 3 })], 400)).toEqual([100, 300]);
  });

  test("serves projects evenly, however many batches each has", () => {
    const many = Array.from({ length: 9 }, () => entrant({ project: "many" }));
    const [one, ...others] = play([entrant({ project: "one" }), ...many], 180);
    expect(one).toBe(90);
    expect(others).toEqual(Array.from({ length: 9 }, () => 10));
  });

  test("takes the earliest deadline first among equals, and passes over those that have nothing to send", () => {
    const turns = createFairTurns();
    const [late, early, empty] = [
      entrant({ deadline: 9 }),
      entrant({ deadline: 5 }),
      entrant({ bytes: () => -1 }),
    ];
    for (const each of [late, empty, early]) turns.enter(each);
    expect(turns.next(0)).toBe(early);
    turns.served(0);
    expect(turns.next(0)).toBe(late);
  });

  test("lets a newcomer begin level with the others, and its first lines get ahead", () => {
    const turns = createFairTurns();
    const [huge, other, small] = [entrant(), entrant(), entrant()];
    turns.enter(huge);
    turns.enter(other);
    for (let i = 0; i < 1_000; i++) {
      turns.next(0);
      turns.served(0);
    }
    turns.leave(other);
    turns.enter(small);
    const got: Entrant[] = [];
    for (let i = 0; i < 110; i++) {
      const next = turns.next(0) ?? huge;
      got.push(next);
      turns.served(16);
    }
    const early = got.slice(0, 100).filter((each) => each === small).length;
    expect(early).toBe(80);
    expect(got.slice(100).filter((each) => each === small)).toHaveLength(5);
  });

  test("gives a project that comes back again and again no more than its share", () => {
    const turns = createFairTurns();
    const huge = entrant({ project: "huge" });
    turns.enter(huge);
    let tiny = 0;
    for (let i = 0; i < 200; i++) {
      const next = entrant({ project: "tiny" });
      turns.enter(next);
      for (let call = 0; call < 4; call++) {
        const served = turns.next(0) ?? huge;
        if (served === next) tiny += 1;
        turns.served(0);
      }
      turns.leave(next);
    }
    expect(tiny).toBeGreaterThan(390);
    expect(tiny).toBeLessThan(410);
  });
});
