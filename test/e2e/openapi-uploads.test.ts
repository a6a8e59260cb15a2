import { expect, it } from "vitest";
import { requestLine } from "../support/http-instance.ts";
import { startTestServer } from "../support/http-server.ts";
import { readDescription } from "../support/openapi.ts";

it("GET /openapi.json describes what the server answers about uploads", async () => {
  const { send, url } = await startTestServer();
  const api = await readDescription(url);
  async function post(path: string, body: object | null, status = 200): Promise<{ id: string }> {
    const sent = body === null || body instanceof FormData ? body : JSON.stringify(body);
    const answer = await send(path, { method: "POST", body: sent });
    await api.assertAnswer(`POST ${path}`, answer);
    expect(answer.status).toBe(status);
    return (await answer.json()) as { id: string };
  }
  const text = `${requestLine("a")}\n`;
  const params = {
    filename: "a.jsonl",
    purpose: "batch",
    bytes: text.length,
    mime_type: "application/jsonl",
  };
  const { id } = await post("/v1/uploads", params);
  const form = new FormData();
  form.set("data", new Blob([text]), "a.jsonl");
  const part = await post(`/v1/uploads/${id}/parts`, form);
  await post(`/v1/uploads/${id}/complete`, { part_ids: [part.id, part.id] }, 400);
  await post(`/v1/uploads/${id}/complete`, { part_ids: [part.id] });
  await post(`/v1/uploads/${id}/complete`, { part_ids: [part.id] }, 409);
  await post(`/v1/uploads/${id}/cancel`, null, 409);
  await post(`/v1/uploads/${id}/parts`, form, 400);
  const other = await post("/v1/uploads", params);
  await post(`/v1/uploads/${other.id}/cancel`, null);
  await post("/v1/uploads/upload_x/cancel", null, 404);
  await post("/v1/uploads", { ...params, status: "completed" }, 400);
});
