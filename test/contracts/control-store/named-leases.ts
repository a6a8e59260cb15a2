import { expect, test } from "vitest";
import type { Stores } from "../control-store.ts";

export function namedLeaseTests(stores: () => Stores): void {
  const a = { name: "batch_1", holder: "a", leaseMs: 500 };
  const b = { ...a, holder: "b" };

  test("a lease by name has one holder, who may prolong it, and each name its own", async () => {
    const { store, other, clock } = stores();
    expect(await store.takeLease(a)).toBe(true);
    expect(await other.takeLease(b)).toBe(false);
    expect(await other.takeLease({ ...b, name: "batch_2" })).toBe(true);
    clock.now += 400;
    expect(await store.takeLease(a)).toBe(true);
    clock.now += 499;
    expect(await other.takeLease(b)).toBe(false);
  });

  test("a lease by name that has run out goes to another, and no longer to the one who had it", async () => {
    const { store, other, clock } = stores();
    await store.takeLease(a);
    clock.now += 500;
    expect(await other.takeLease(b)).toBe(true);
    expect(await store.takeLease(a)).toBe(false);
    await store.dropLease(a);
    expect(await store.takeLease(a)).toBe(false);
  });

  test("a lease by name that was given back is free at once", async () => {
    const { store, other } = stores();
    await store.takeLease(a);
    await store.dropLease(a);
    expect(await other.takeLease(b)).toBe(true);
  });

  test("those who hold a lease of one group are counted, as long as it has not run out", async () => {
    const { store, other, clock } = stores();
    const member = (group: string, holder: string) => ({ name: `${group}${holder}`, holder, leaseMs: 500 });
    expect(await store.countHolders("g/")).toBe(0);
    await store.takeLease(member("g/", "a"));
    await store.takeLease(member("g/h/", "a"));
    clock.now += 400;
    await other.takeLease(member("g/", "b"));
    expect(await store.countHolders("g/")).toBe(2);
    clock.now += 100;
    expect(await store.countHolders("g/")).toBe(1);
    await other.dropLease(member("g/", "b"));
    expect(await store.countHolders("g/")).toBe(0);
  });

  test("removing leases that ran out leaves those that are held", async () => {
    const { store, other, clock } = stores();
    await store.takeLease(a);
    clock.now += 1_000;
    await store.takeLease({ ...b, name: "batch_2" });
    await other.removeLapsedLeases(600);
    await other.removeLapsedLeases(0);
    expect(await other.takeLease({ ...a, name: "batch_2" })).toBe(false);
    expect(await other.takeLease(b)).toBe(true);
  });

  test("one of many gets a lease by name when all ask at once", async () => {
    const { store, other } = stores();
    const taken = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        (index % 2 === 0 ? store : other).takeLease({ ...a, holder: `h${index}` }),
      ),
    );
    expect(taken.filter(Boolean)).toHaveLength(1);
  });
}
