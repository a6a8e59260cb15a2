import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { createTestClock } from "../support/clock.ts";
import { openTestInstance } from "../support/http-instance.ts";
import { startTestServer } from "../support/http-server.ts";
import type { Connection, RowContext } from "./row.ts";
import type { Driver } from "./sdk/sdk.ts";
import type { ContractServer, ServerKind, Servers } from "./servers.ts";
import type { Exchange } from "./tap.ts";

/** What one row gets while its test runs. */
export async function rowContext(driver: Driver, servers: Servers): Promise<RowContext> {
  async function on(kind: ServerKind): Promise<Connection> {
    const server = await servers.get(kind);
    const sdk = driver.open({ baseUrl: `${server.url}/v1` });
    return { ...server, sdk, last: lastOf(server) };
  }
  const server = await on("usual");
  return {
    language: driver.language,
    sdk: server.sdk,
    server,
    on,
    client: (options) => driver.open({ baseUrl: `${server.url}/v1`, ...options }),
    async still() {
      const clock = createTestClock();
      const instance = await openTestInstance({ clock });
      const still = await startTestServer({ instance });
      const open = (options = {}) => driver.open({ baseUrl: `${still.url}/v1`, ...options });
      return { clock, server: still, sdk: open(), client: open };
    },
    async file(content, name = "input.jsonl") {
      const directory = await mkdtemp(join(tmpdir(), "nerif-contract-"));
      onTestFinished(() => rm(directory, { recursive: true, force: true }));
      const path = join(directory, name);
      await writeFile(path, content);
      return path;
    },
  };
}

function lastOf({ tap }: ContractServer): (path?: string) => Exchange {
  return (path = "/") => {
    const found = tap.exchanges.findLast((exchange) => exchange.path.includes(path));
    if (found === undefined) throw new Error(`There was no request to ${path}`);
    return found;
  };
}
