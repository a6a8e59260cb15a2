import { describe, expect, it, onTestFinished } from "vitest";
import { type CliWorkspace, createCliWorkspace, requestFile } from "../support/cli-workspace.ts";
import { openTestInstance } from "../support/http-instance.ts";
import { startTestServer } from "../support/http-server.ts";
import { startWebhookReceiver } from "../support/webhook-receiver.ts";

async function workspaceOf(): Promise<CliWorkspace> {
  const workspace = await createCliWorkspace();
  onTestFinished(() => workspace[Symbol.asyncDispose]());
  return workspace;
}

const allow = { NERIF_WEBHOOK_ALLOW: "localhost, 127.0.0.0/8" };

describe("nerif webhooks", () => {
  it.each(["the data directory", "a server"])(
    "creates, lists, tests, rotates and deletes at %s",
    // A dozen processes one after another.
    { timeout: 120_000 },
    async (where) => {
      const workspace = await workspaceOf();
      const receiver = await startWebhookReceiver({ answers: [204, 500] });
      const env: Record<string, string> = { ...allow };
      if (where === "a server") {
        const instance = await openTestInstance({ webhookAllow: ["127.0.0.1"] });
        env.NERIF_SERVER = (await startTestServer({ instance })).url;
      }
      const run = (...args: string[]) => workspace.run(["webhooks", ...args], { env });

      const created = await run("create", receiver.url, "--events", "batch.failed,batch.expired");
      expect(created).toMatchObject({ code: 0, stderr: expect.stringContaining("not shown again") });
      const [line = "", secret] = created.stdout.split("\n");
      expect(line).toContain(`127.0.0.1:${receiver.port}  ${receiver.url}  batch.failed,batch.expired`);
      expect(secret).toMatch(/^whsec_/);
      const [id = ""] = line.split(" ");
      expect((await run("list")).stdout).toBe(`${line}\n`);
      expect(JSON.parse((await run("get", id, "--json")).stdout)).toMatchObject({
        id,
        object: "webhook_endpoint",
      });
      expect(await run("test", id)).toMatchObject({ code: 0, stdout: "The receiver answered 204\n" });
      expect(await run("test", id, "--event-type", "batch.failed")).toMatchObject({ code: 1 });
      expect(JSON.parse(receiver.received[1]?.body ?? "")).toMatchObject({ type: "batch.failed" });
      const rotated = await run("rotate", id, "--keep-old", "--json");
      expect((JSON.parse(rotated.stdout) as { signing_secret: string }).signing_secret).not.toBe(secret);
      await run("test", id);
      expect(receiver.received[2]?.headers["webhook-signature"]?.split(" ")).toHaveLength(2);
      expect(await run("delete", id)).toMatchObject({ code: 0 });
      expect(await run("get", id)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining("No webhook endpoint found"),
      });
      expect((await run("list")).stdout).toBe("");
    },
  );

  it("refuses a receiver that is not public unless it is admitted, and a list that cannot be read", async () => {
    const workspace = await workspaceOf();
    const create = ["webhooks", "create", "http://localhost:9000/hook"];
    const refused = await workspace.run(create);
    expect(refused).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining("https://") });
    expect(await workspace.run(create, { env: { NERIF_WEBHOOK_ALLOW: "localhost:9000" } })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("without a port"),
    });
    expect(await workspace.run([...create, "--webhook-allow", "localhost"])).toMatchObject({ code: 0 });
    workspace.write("nerif.config.yaml", "webhook_allow: [localhost, 10.0.0.0/8]\n");
    expect(await workspace.run(create)).toMatchObject({ code: 0 });
  });
});

describe("nerif batches wait", () => {
  it("tells receivers of the batch that it has run before it ends", async () => {
    const workspace = await workspaceOf();
    const receiver = await startWebhookReceiver();
    await workspace.run(["webhooks", "create", receiver.url], { env: allow });
    workspace.write("in.jsonl", requestFile(3));
    const created = await workspace.run(["batches", "create", "in.jsonl", "--json"]);
    const { id } = JSON.parse(created.stdout) as { id: string };
    expect(await workspace.run(["batches", "wait", id], { env: allow })).toMatchObject({ code: 0 });
    expect(receiver.received).toHaveLength(1);
    expect(JSON.parse(receiver.received[0]?.body ?? "")).toMatchObject({
      type: "batch.completed",
      data: { id },
    });
  });
});

describe("nerif run", () => {
  it("has nothing to do with webhooks", async () => {
    const workspace = await workspaceOf();
    workspace.write("in.jsonl", requestFile(2));
    const run = workspace.run(["run", "in.jsonl"], { env: { NERIF_WEBHOOK_ALLOW: "no:list" } });
    expect(await run).toMatchObject({ code: 0 });
  });
});
