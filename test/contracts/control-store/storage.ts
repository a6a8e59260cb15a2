import { expect, test } from "vitest";
import type { Stores } from "../control-store.ts";

export function storageTests(stores: () => Stores): void {
  test("the first id that is chosen for the storage stays, and is marked when the place has it", async () => {
    const { store, other } = stores();
    expect(await store.getStorage()).toBeNull();
    await Promise.all([store.chooseStorage("one"), other.chooseStorage("two")]);
    const chosen = await store.getStorage();
    expect(["one", "two"]).toContain(chosen?.id);
    expect(await other.getStorage()).toEqual({ ...chosen, isPlaced: false });
    await store.markStorage("three");
    expect(await other.getStorage()).toEqual(chosen);
    await store.markStorage(chosen?.id ?? "");
    expect(await other.getStorage()).toEqual({ ...chosen, isPlaced: true });
  });
}
