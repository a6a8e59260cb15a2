import OpenAI from "openai";
import OpenAI6 from "openai6";
import { describe, expect, it } from "vitest";
import { signatureHeaders } from "./sign.ts";

const secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const other = "whsec_YW5vdGhlciBzZWNyZXQgb2YgMzIgYnl0ZXMgaW4gYWxsISE=";
const url = "https://hooks.example.net";

const clients = [
  ["newest", new OpenAI({ apiKey: "unused" })],
  ["previous major", new OpenAI6({ apiKey: "unused" }) as unknown as OpenAI],
] as const;

describe("signatureHeaders()", () => {
  it("signs the vector of the contract as it says", () => {
    const body =
      '{"object": "event", "id": "evt_1", "type": "batch.completed", "created_at": 1750287018, "data": {"id": "batch_1"}}';
    expect(signatureHeaders({ url, id: "wh_1", timestamp: 1_750_287_078, body, secrets: [secret] })).toEqual({
      "webhook-id": "wh_1",
      "webhook-timestamp": "1750287078",
      "webhook-signature": "v1,BMFac5nhSO/0qybg2VT9B9Rh5TQphe6Li1VL1NlSeis=",
    });
  });

  it.each(clients)(
    "satisfies the %s SDK with either secret when two sign, and with no other",
    async (_, { webhooks }) => {
      const event = {
        id: "evt_1",
        object: "event",
        type: "batch.completed",
        created_at: 1,
        data: { id: "batch_ü" },
      };
      const body = JSON.stringify(event);
      const message = { url, id: "wh_1", timestamp: Math.floor(Date.now() / 1_000), body };
      const headers = signatureHeaders({ ...message, secrets: [secret, other] });
      expect(headers["webhook-signature"]).toMatch(/^v1,\S{44} v1,\S{44}$/);
      expect(await webhooks.unwrap(body, headers, secret)).toEqual(event);
      expect(await webhooks.unwrap(body, headers, other)).toEqual(event);
      const lone = signatureHeaders({ ...message, secrets: [secret] });
      await expect(webhooks.unwrap(body, lone, other)).rejects.toThrow(/signature/);
      await expect(webhooks.unwrap(body.replace("batch_", "batch-"), lone, secret)).rejects.toThrow(
        /signature/,
      );
      await expect(webhooks.unwrap(body, { ...lone, "webhook-id": "wh_2" }, secret)).rejects.toThrow(
        /signature/,
      );
    },
  );
});
