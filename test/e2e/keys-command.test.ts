import { describe, expect, it } from "vitest";
import { createCliWorkspace } from "../support/cli-workspace.ts";
import { startServeProcess } from "../support/http-process.ts";

describe("nerif keys", () => {
  it("prints a new key alone on stdout, and never again", async () => {
    await using work = await createCliWorkspace();
    const made = await work.run(["keys", "create", "--name", "nightly \u001b[2J", "--project", "search"]);
    expect(made.code).toBe(0);
    expect(made.stdout).toMatch(/^sk-nerif-[A-Za-z0-9_-]{43}\n$/);
    const key = made.stdout.trim();
    const [id] = /key_[0-9a-f]{32}/.exec(made.stderr) ?? [];
    expect(made.stderr).not.toContain(key);
    const listed = await work.run(["keys", "list"]);
    expect(listed.stdout).toMatch(
      new RegExp(`^${id}  sk-nerif-\\.\\.\\.${key.slice(-4)}  search  nightly \\\\x1b\\[2J  .*  valid\\n$`),
    );
    expect(listed.stdout).not.toContain(key);
  });

  it("takes quotas as options, and tells them as JSON", async () => {
    await using work = await createCliWorkspace();
    const args = ["--stored-bytes", "10GiB", "--open-uploads", "20", "--queued-lines", "1000000"];
    const made = await work.run(["keys", "create", ...args, "--requests-per-second", "0.5", "--json"]);
    const { key, ...object } = JSON.parse(made.stdout);
    expect(key).toMatch(/^sk-nerif-/);
    expect(object).toMatchObject({
      object: "api_key",
      project: "default",
      name: "key",
      revoked_at: null,
      quotas: {
        stored_bytes: 10 * 1024 ** 3,
        open_uploads: 20,
        queued_lines: 1_000_000,
        requests_per_second: 0.5,
      },
    });
    const listed = await work.run(["keys", "list", "--json"]);
    expect(JSON.parse(listed.stdout)).toEqual(object);
  });

  it("admits a key from the environment, again and again, and does not print it", async () => {
    await using work = await createCliWorkspace();
    const key = "c0ffee00".repeat(8);
    const command = ["keys", "create", "--key-env", "ADMIN_KEY", "--name", "admin"];
    for (let time = 0; time < 2; time += 1) {
      const made = await work.run(command, { env: { ADMIN_KEY: key } });
      expect([made.code, made.stdout]).toEqual([0, ""]);
      expect(made.stderr).toMatch(/^key_[0-9a-f]{32} is valid for the project default\n$/);
    }
    expect((await work.run(["keys", "list"])).stdout.split("\n")).toHaveLength(2);
    const unset = await work.run(command);
    expect([unset.code, unset.stderr]).toEqual([2, expect.stringContaining("ADMIN_KEY: it is not set")]);
  });

  it.each([
    [["create", "--project", "Not this"], /a-z, 0-9, _ and -/],
    [["create", "--requests-per-second", "0"], /from 0\.001/],
    [["revoke", "sk-nerif-oops-this-is-the-key-itself"], /needs the id of a key/],
  ])("refuses %j with code 2", async (args, message) => {
    await using work = await createCliWorkspace();
    const refused = await work.run(["keys", ...args]);
    expect([refused.code, refused.stdout]).toEqual([2, ""]);
    expect(refused.stderr).toMatch(message);
    expect(refused.stderr).not.toContain("oops");
  });

  it("opens and closes a server that runs, at once", { timeout: 120_000 }, async () => {
    await using work = await createCliWorkspace();
    const dataDir = work.path("data");
    const server = await startServeProcess({ upstream: work.url, dataDir });
    const status = async (key?: string) => {
      const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` };
      return (await fetch(`${server.url}/v1/files`, { headers })).status;
    };
    expect(await status()).toBe(200);
    const { key, id } = JSON.parse((await work.run(["keys", "create", "--json"])).stdout);
    expect([await status(), await status(key)]).toEqual([401, 200]);

    const without = await work.run(["files", "list"], { env: { NERIF_SERVER: server.url } });
    expect([without.code, without.stderr]).toEqual([
      2,
      expect.stringContaining("You didn't provide an API key"),
    ]);

    expect((await work.run(["keys", "revoke", id])).stderr).toContain(`Revoked ${id}`);
    expect([await status(), await status(key)]).toEqual([401, 401]);
    expect((await work.run(["keys", "revoke", id])).code).toBe(0);
  });

  it("lets a server listen for other machines, which is refused without keys", async () => {
    await using work = await createCliWorkspace();
    const refused = await work.run(["serve", "--port", "0", "--host", "0.0.0.0"]);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain("create one with nerif keys create");
    await work.run(["keys", "create"]);
    const args = ["--host", "0.0.0.0", "--cors-origin", "https://a.example, https://b.example:8443"];
    const server = await startServeProcess({ upstream: work.url, dataDir: work.path("data"), args });
    const { port } = new URL(server.url);
    const files = `http://127.0.0.1:${port}/v1/files`;
    expect((await fetch(files)).status).toBe(401);
    const preflight = await fetch(files, {
      method: "OPTIONS",
      headers: { origin: "https://b.example:8443", "access-control-request-method": "POST" },
    });
    expect(preflight.headers.get("access-control-allow-origin")).toBe("https://b.example:8443");
  });
});
