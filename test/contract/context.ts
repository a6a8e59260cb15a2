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
import { type Exchange, openTap } from "./tap.ts";

/**
 * What one row gets while its test runs.
 *
 * @param options.seen told every exchange with the servers that the row itself starts
 */
export async function rowContext(
  driver: Driver,
  { servers, seen }: { servers: Servers; seen: (exchange: Exchange) => void },
): Promise<RowContext> {
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
    async still(options = {}) {
      const clock = createTestClock();
      const instance = await openTestInstance({ clock, ...options });
      const still = await startTestServer({ instance });
      const tap = await openTap(still.url, seen);
      onTestFinished(() => tap.close());
      const open = (settings = {}) => driver.open({ baseUrl: `${tap.url}/v1`, ...settings });
      return { clock, tap, server: still, sdk: open(), client: open };
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
