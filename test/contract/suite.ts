import { writeFile } from "node:fs/promises";
import { afterAll, describe, it } from "vitest";
import { rowContext } from "./context.ts";
import { createWitness } from "./described.ts";
import { resultsFile, resultsVariable, type SuiteName, type SuiteResults } from "./results.ts";
import { type Row, rowKey } from "./row.ts";
import { rows } from "./rows.ts";
import type { Driver } from "./sdk/sdk.ts";
import { createServers } from "./servers.ts";

/** Runs every row through one SDK against real servers, and leaves what was seen for the page. */
export function contractSuite(name: SuiteName, open: () => Promise<Driver>): void {
  describe(`the contract through ${name}`, async () => {
    // Opened while tests are collected: which rows there are depends on what the SDK has.
    const driver = await open();
    const witness = createWitness();
    const servers = createServers(witness.see);
    const results: SuiteResults = { version: driver.version, rows: {} };

    afterAll(async () => {
      await servers.close();
      await driver.close();
      const directory = process.env[resultsVariable];
      if (directory !== undefined) await writeFile(resultsFile(directory, name), JSON.stringify(results));
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
