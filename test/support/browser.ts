import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { onTestFinished } from "vitest";

export const chromium = "/usr/bin/chromium";

/** Why there is no browser here; null when there is one. */
export const noBrowser = existsSync(chromium)
  ? null
  : `${chromium} is missing: apt-get update && apt-get install -y chromium`;

const flags = [
  ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage"],
  ...["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  // A name of somebody else's that means this machine, as one that is rebound does.
  "--host-resolver-rules=MAP evil.test 127.0.0.1",
];

/** Opens a page and leaves it open until the test ends. */
export async function openPage(url: string): Promise<void> {
  await launch([url], "ignore");
}

/** Opens a page and returns what it shows when it has been loaded. */
export async function shownAt(url: string): Promise<string> {
  const child = await launch(["--dump-dom", url], "pipe");
  if (child.stdout === null) throw new Error("The browser has no stdout");
  return text(child.stdout);
}

async function launch(args: string[], stdout: "ignore" | "pipe"): Promise<ChildProcess> {
  if (noBrowser !== null) throw new Error(noBrowser);
  const profile = await mkdtemp(join(tmpdir(), "nerif-browser-"));
  const child = spawn(chromium, [...flags, `--user-data-dir=${profile}`, ...args], {
    stdio: ["ignore", stdout, "ignore"],
    // With what it has started: it must not write to its profile any more when that is removed.
    detached: true,
    env: { PATH: process.env.PATH ?? "", HOME: profile },
  });
  const closed = once(child, "close");
  onTestFinished(async () => {
    if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    await closed;
    await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  });
  return child;
}

export interface PageServer {
  port: number;
  /** What the page's script has sent to `/report`. */
  reported: Promise<unknown>;
}

/** Serves one page at every path. */
export async function servePage(html: () => string): Promise<PageServer> {
  const { promise: reported, resolve } = Promise.withResolvers<unknown>();
  const server = createServer(async (request, response) => {
    if (request.url === "/report") {
      resolve(JSON.parse(await text(request)));
      response.end();
      return;
    }
    response.setHeader("content-type", "text/html");
    response.end(html());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  });
  return { port: (server.address() as AddressInfo).port, reported };
}
