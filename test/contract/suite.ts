import { mkdir, rm, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, it } from "vitest";
import { rowContext } from "./context.ts";
import { createWitness } from "./described.ts";
import { resultsDirectory, resultsFile, type SuiteName, type SuiteResults } from "./results.ts";
import { type Row, rowKey } from "./row.ts";
import { rows } from "./rows.ts";
import type { Driver } from "./sdk/sdk.ts";
import { createServers } from "./servers.ts";

/** Runs every row through one SDK against real servers, and leaves what was found to the page's writer. */
export function contractSuite(name: SuiteName, open: () => Promise<Driver>): void {
  describe(`the contract through ${name}`, async () => {
    // Opened while tests are collected: which rows there are depends on what the SDK has.
    const driver = await open();
    const witness = createWitness();
    const servers = createServers(witness.see);
    const results: SuiteResults = { version: driver.version, rows: {} };

    beforeAll(() => rm(resultsFile(name), { force: true }));
    afterAll(async () => {
      await servers.close();
      await driver.close();
      await mkdir(resultsDirectory, { recursive: true });
      await writeFile(resultsFile(name), JSON.stringify(results));
    });

    for (const row of rows) {
      const key = rowKey(row);
      const { check } = row;
      if (check === undefined || !isFor(row, driver)) continue;
      it(`§${key}`, async () => {
        await check(await rowContext(driver, { servers, seen: witness.see }));
        await witness.judge(servers);
        results.rows[key] = "pass";
      });
    }
  });
}

function isFor({ only, needs }: Row, driver: Driver): boolean {
  return (only === undefined || only === driver.language) && (needs === undefined || driver.has(needs));
}
