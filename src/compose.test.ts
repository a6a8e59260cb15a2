import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openNerif } from "./compose.ts";

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "nerif-compose-"));
});
afterEach(() => {
  rmSync(dataDir, { recursive: true });
});

describe("openNerif()", () => {
  it("keeps the default of a setting that is undefined", async () => {
    const settings = { maxAttempts: undefined, maxLineBytes: undefined };
    const opened = await openNerif({ dataDir, settings });
    await opened.close();
    expect(opened.settings).toMatchObject({ maxAttempts: 5, maxLineBytes: 10 * 1024 * 1024 });
  });

  it("refuses a setting that is no bound", async () => {
    await expect(openNerif({ dataDir, settings: { maxAttempts: Number.NaN } })).rejects.toMatchObject({
      code: "invalid_configuration",
      message: "Cannot use settings.maxAttempts: it is NaN and must be a whole number from 1 to 1000",
    });
  });
});
