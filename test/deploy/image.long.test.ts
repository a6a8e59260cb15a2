import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { createSimulator } from "../../src/upstreams/simulator/simulator.ts";
import { freePort } from "../support/free-port.ts";
import { withoutPostgres } from "../support/postgres.ts";
import { buildImage, type Image } from "./image.ts";
import { adminKey, installationTests, runBatch, startContainer } from "./installation.ts";
import { type Sandboxed, withoutSandbox } from "./sandbox.ts";

const root = join(import.meta.dirname, "../..");

describe.skipIf(withoutSandbox !== null)(`what docker/Dockerfile builds ${withoutSandbox ?? ""}`, () => {
  let image: Image & { remove(): void };
  beforeAll(async () => {
    image = await buildImage({ dockerfile: join(root, "docker/Dockerfile"), context: root });
  }, 600_000);
  afterAll(() => image?.remove(), 300_000);

  /** A container that goes with the test. */
  function start(options: Parameters<typeof startContainer>[1]): Sandboxed {
    return startContainer(image, options);
  }

  test("holds the program, what it needs in the versions that are locked, and nothing else", () => {
    const home = join(image.root, "opt/nerif");
    const names = ["LICENSE", "README.md", "bin", "dist", "docker", "node_modules", "package.json"];
    expect(readdirSync(home).toSorted()).toEqual(names);
    expect(
      readdirSync(join(home, "dist"), { recursive: true }).filter((name) => /\.test\./.test(String(name))),
    ).toEqual([]);
    const locked = packagesIn(join(root, "package-lock.json"));
    const installed = packagesIn(join(home, "node_modules/.package-lock.json"));
    for (const [path, { version, integrity }] of Object.entries(installed)) {
      expect([path, locked[path]]).toMatchObject([path, { version, integrity }]);
    }
    for (const needed of ["@aws-sdk/client-s3", "@aws-sdk/lib-storage", "pg", "hono"]) {
      expect([needed, existsSync(join(home, "node_modules", needed))]).toEqual([needed, true]);
    }
    for (const tool of ["typescript", "rolldown", "@types/node", "vitest", "s3rver"]) {
      expect([tool, existsSync(join(home, "node_modules", tool))]).toEqual([tool, false]);
    }
  });

  test("serves as process 1 without rights on a root that is read-only, says how it is, and drains", async () => {
    const simulator = createSimulator({ latency: { kind: "fixed", ms: 5 } });
    const { url: upstream } = await simulator.listen();
    onTestFinished(() => simulator.close());
    const port = String(await freePort());
    const env = { NERIF_UPSTREAM: upstream, NERIF_PORT: port, NERIF_ADMIN_KEY: adminKey };

    const refused = await start({ env }).ended;
    expect(refused).toMatchObject({ code: 2, output: expect.stringContaining("no API key protects it") });
    const admit = { command: ["keys", "create", "--key-env", "NERIF_ADMIN_KEY"], env };
    expect((await start(admit).ended).code).toBe(0);

    const server = start({ env });
    await server.printed(/Nerif listens/);
    const pid = await server.pid();
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    expect(status).toMatch(/^Uid:\t1000\t1000/m);
    expect(status).toMatch(/^NSpid:\t\d+\t1$/m);
    expect(status).toMatch(/^CapEff:\t0+$/m);
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    const rootMount = readFileSync(`/proc/${pid}/mountinfo`, "utf8").split("\n");
    expect(rootMount.find((line) => line.split(" ")[4] === "/")?.split(" ")[5]).toMatch(/^ro,/);

    const healthy = () => start({ entrypoint: image.healthcheck, env }).ended;
    expect((await healthy()).code).toBe(0);
    expect(await runBatch(`http://127.0.0.1:${port}`)).toBe("completed");

    await server.kill("SIGTERM");
    expect(await server.ended).toMatchObject({ code: 0, output: expect.stringContaining("Stopping") });
    expect((await healthy()).code).toBe(1);
  });

  test.each(["serve", "worker"])(
    "%s ends at a signal while it still waits for its database",
    async (command) => {
      // It takes connections and never answers.
      const silent = createServer().listen(0, "127.0.0.1");
      await once(silent, "listening");
      onTestFinished(() => void silent.close());
      const address = silent.address();
      const port = typeof address === "object" ? address?.port : null;
      const env = {
        NERIF_DATABASE_URL: `postgres://nerif@127.0.0.1:${port}/nerif`,
        NERIF_SHARED_DIR: "/data",
        NERIF_UPSTREAM: "http://127.0.0.1:1/v1",
      };
      const connected = once(silent, "connection");
      const container = start({ command: [command], env });
      await connected;
      await container.kill("SIGTERM");
      expect((await container.ended).code).toBe(130);
    },
  );

  describe.skipIf(withoutPostgres !== null)(`as a whole installation ${withoutPostgres ?? ""}`, () => {
    installationTests(() => image);
  });
});

function packagesIn(lockfile: string): Record<string, { version: string; integrity: string }> {
  return JSON.parse(readFileSync(lockfile, "utf8")).packages;
}
