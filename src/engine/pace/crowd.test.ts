import { describe, expect, test } from "vitest";
import { createCrowd } from "./crowd.ts";

describe("createCrowd()", () => {
  test("takes the first refusal of many for too many at once, and allows one less", () => {
    const crowd = createCrowd();
    expect(crowd.refused({ sentAt: 10, atOnce: 41 }, 12, true)).toBe(true);
    expect(crowd.limit).toBe(40);
  });

  test("takes all refusals of calls that were under way together for one", () => {
    const crowd = createCrowd();
    for (let atOnce = 41; atOnce < 65; atOnce++) crowd.refused({ sentAt: 10, atOnce }, 12, true);
    expect(crowd.limit).toBe(40);
    const other = createCrowd();
    for (let atOnce = 64; atOnce > 40; atOnce--) other.refused({ sentAt: 10, atOnce }, 12, true);
    expect(other.limit).toBe(40);
  });

  test("goes on to think so while only more than the limit is refused", () => {
    const crowd = createCrowd();
    for (let now = 0; now < 50; now++) {
      expect(crowd.refused({ sentAt: now, atOnce: 41 }, now, true)).toBe(true);
      crowd.served({ sentAt: now, atOnce: 40 });
    }
    expect(crowd.limit).toBe(40);
  });

  test.each([
    [true, 2],
    [false, 6],
  ])(
    "sees that time counts when no more than the limit are refused again and again (naming a time: %s)",
    (namesTime, times) => {
      const crowd = createCrowd();
      crowd.refused({ sentAt: 0, atOnce: 41 }, 0, namesTime);
      const verdicts: boolean[] = [];
      for (let now = 1; now <= times; now++) {
        verdicts.push(crowd.refused({ sentAt: now, atOnce: crowd.limit }, now, namesTime));
      }
      expect(verdicts.indexOf(false)).toBe(times - 1);
    },
  );

  test("sees that time counts when clearly more than the limit were let in", () => {
    const crowd = createCrowd();
    crowd.refused({ sentAt: 0, atOnce: 41 }, 1, true);
    crowd.served({ sentAt: 5, atOnce: 60 });
    expect(crowd.refused({ sentAt: 9, atOnce: 61 }, 10, true)).toBe(false);
  });

  test("thinks of time at once when hardly any were in flight and a time is named", () => {
    expect(createCrowd().refused({ sentAt: 0, atOnce: 2 }, 1, true)).toBe(false);
    expect(createCrowd().refused({ sentAt: 0, atOnce: 2 }, 1, false)).toBe(true);
  });
});
