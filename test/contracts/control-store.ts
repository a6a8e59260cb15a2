import { afterEach, beforeEach, describe } from "vitest";
import type { ControlStore } from "../../src/control/control-store.ts";
import { apiKeyTests } from "./control-store/api-keys.ts";
import { batchCountTests } from "./control-store/batch-counts.ts";
import { batchTests } from "./control-store/batches.ts";
import { fileTests } from "./control-store/files.ts";
import { idempotencyTests } from "./control-store/idempotency.ts";
import { leaseTests } from "./control-store/leases.ts";
import { namedLeaseTests } from "./control-store/named-leases.ts";
import { shardTests } from "./control-store/shards.ts";
import { storageTests } from "./control-store/storage.ts";
import { uploadTests } from "./control-store/uploads.ts";
import { webhookTests } from "./control-store/webhooks.ts";

/** A database for one test, which any number of stores may have open. */
export interface TestDatabase {
  /** @param leaseClock milliseconds; the adapter's own clock by default */
  open(leaseClock?: () => number): Promise<ControlStore>;
  /** Removes the database; its stores are closed before. */
  dispose(): Promise<void>;
}

/** What a test gets: a store, a second one on the same database, as another process has it, and their clock. */
export interface Stores {
  readonly store: ControlStore;
  readonly other: ControlStore;
  /** The lease clock of both stores, in milliseconds. */
  readonly clock: { now: number };
}

/** What every control store promises, whatever its database. */
export function describeControlStoreContract(name: string, makeIt: () => Promise<TestDatabase>): void {
  describe(`${name} as a control store`, () => {
    let database: TestDatabase;
    let opened: Stores;

    beforeEach(async () => {
      database = await makeIt();
      const clock = { now: 1_000_000 };
      const leaseClock = () => clock.now;
      opened = { store: await database.open(leaseClock), other: await database.open(leaseClock), clock };
    });

    afterEach(async () => {
      await opened.store.close();
      await opened.other.close();
      await database.dispose();
    });

    const stores = () => opened;
    describe("files", () => fileTests(stores));
    describe("batches", () => batchTests(stores));
    describe("counts of batches", () => batchCountTests(stores));
    describe("shards", () => shardTests(stores));
    describe("idempotency keys", () => idempotencyTests(stores));
    describe("leases", () => leaseTests(stores));
    describe("leases by name", () => namedLeaseTests(stores));
    describe("storage", () => storageTests(stores));
    describe("webhooks", () => webhookTests(stores));
    describe("uploads", () => uploadTests(stores));
    describe("API keys", () => apiKeyTests(stores));
  });
}
