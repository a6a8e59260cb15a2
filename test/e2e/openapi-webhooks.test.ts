import { expect, it } from "vitest";
import { openTestInstance } from "../support/http-instance.ts";
import { startTestServer } from "../support/http-server.ts";
import { readDescription } from "../support/openapi.ts";
import { startWebhookReceiver } from "../support/webhook-receiver.ts";

it("GET /openapi.json describes what the server answers about webhooks", async () => {
  const receiver = await startWebhookReceiver({ answers: [204, "reset"] });
  const instance = await openTestInstance({ webhookAllow: ["127.0.0.1"] });
  const server = await startTestServer({ instance });
  const api = await readDescription(server.url);
  async function ask(operation: string, { status = 200, body }: { status?: number; body?: object } = {}) {
    const [method = "", path = ""] = operation.split(" ");
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const answer = await server.send(path, { method, ...sent });
    await api.assertAnswer(operation, answer);
    expect(answer.status).toBe(status);
    return (await answer.json()) as { id: string };
  }
  const endpoints = "/v1/webhook_endpoints";
  const params = { name: "sink", url: receiver.url, event_types: ["batch.completed"] };
  const { id } = await ask(`POST ${endpoints}`, { body: params });
  await ask(`POST ${endpoints}`, { status: 400, body: { ...params, signing_secret: "whsec_x" } });
  await ask(`GET ${endpoints}?limit=1`);
  await ask(`GET ${endpoints}?limit=0`, { status: 400 });
  await ask(`GET ${endpoints}/${id}`);
  await ask(`POST ${endpoints}/${id}`, { body: { name: "bin" } });
  await ask(`POST ${endpoints}/${id}/rotate_secret`);
  await ask(`POST ${endpoints}/${id}/test`, { body: { event_type: "batch.failed" } });
  await ask(`POST ${endpoints}/${id}/test`, { status: 502, body: { event_type: "batch.failed" } });
  await ask("GET /v1/webhook_event_types");
  await ask(`DELETE ${endpoints}/${id}`);
  await ask(`DELETE ${endpoints}/${id}`, { status: 404 });
  await ask(`POST ${endpoints}/${id}/rotate_secret`, { status: 404, body: {} });
});
