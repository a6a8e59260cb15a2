import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeControlStoreContract } from "../../test/contracts/control-store.ts";
import { openSqliteControlStore } from "./sqlite.ts";

describeControlStoreContract("SQLite", async () => {
  const directory = await mkdtemp(join(tmpdir(), "nerif-control-"));
  const path = join(directory, "data", "nerif.db");
  return {
    open: (leaseClock) => openSqliteControlStore(leaseClock === undefined ? { path } : { path, leaseClock }),
    dispose: () => rm(directory, { recursive: true }),
  };
});
