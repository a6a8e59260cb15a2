import { createHmac } from "node:crypto";
import { expect } from "vitest";
import type { Row } from "../row.ts";
import { refusal } from "../steps.ts";

const secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const body =
  '{"object": "event", "id": "evt_1", "type": "batch.completed", "created_at": 1750287018, "data": {"id": "batch_1"}}';

/** Events and their signatures, as the SDKs check them. */
export const eventRows: Row[] = [
  {
    section: "11.1",
    title:
      "The test vector: this secret, id, time and body give `v1,BMFac5nhSO/0qybg2VT9B9Rh5TQphe6Li1VL1NlSeis=`",
    async check() {
      const signature = sign({ id: "wh_1", timestamp: "1750287078" });
      expect(signature).toBe("v1,BMFac5nhSO/0qybg2VT9B9Rh5TQphe6Li1VL1NlSeis=");
    },
  },
  {
    section: "11.1",
    title: "`unwrap` accepts a signature of now with the secret as an argument, and gives the event",
    async check({ sdk }) {
      const event = await sdk.webhooks.unwrap({ body, headers: delivery(), secret });
      expect(event).toMatchObject({ id: "evt_1", type: "batch.completed", data: { id: "batch_1" } });
    },
  },
  {
    section: "11.1",
    title: "`unwrap` takes the secret from the client's options",
    async check({ client }) {
      const sdk = client({ webhookSecret: secret });
      const event = await sdk.webhooks.unwrap({ body, headers: delivery() });
      expect(event).toMatchObject({ type: "batch.completed" });
    },
  },
  {
    section: "11.1",
    title: "`unwrap` refuses a time of more than 300 s ago or ahead",
    async check({ sdk }) {
      for (const seconds of [-301, 302]) {
        const headers = delivery({ timestamp: String(now() + seconds) });
        const refused = await refusal(sdk.webhooks.unwrap({ body, headers, secret }));
        expect(refused).toMatchObject({ className: "InvalidWebhookSignatureError" });
      }
      const headers = delivery({ timestamp: String(now() - 290) });
      expect(await sdk.webhooks.unwrap({ body, headers, secret })).toMatchObject({ id: "evt_1" });
    },
  },
  {
    section: "11.1",
    title: "`unwrap` refuses another body and another secret",
    async check({ sdk }) {
      const changed = body.replace("batch_1", "batch_2");
      expect(
        await refusal(sdk.webhooks.unwrap({ body: changed, headers: delivery(), secret })),
      ).toMatchObject({
        className: "InvalidWebhookSignatureError",
      });
      const other = `whsec_${Buffer.alloc(32, 1).toString("base64")}`;
      const refused = await refusal(sdk.webhooks.unwrap({ body, headers: delivery(), secret: other }));
      expect(refused).toMatchObject({ className: "InvalidWebhookSignatureError" });
    },
  },
  {
    section: "11.1",
    title: "All three headers are required",
    async check({ sdk }) {
      for (const name of ["webhook-id", "webhook-timestamp", "webhook-signature"]) {
        const { [name]: _, ...headers } = delivery() as Record<string, string>;
        const refused = await refusal(sdk.webhooks.unwrap({ body, headers, secret }));
        expect(refused.status).toBeNull();
      }
    },
  },
  {
    section: "11.1",
    title: "Any of several signatures may match, which is how secrets are changed",
    async check({ sdk }) {
      const headers = delivery();
      const signature = `v1,${Buffer.alloc(32).toString("base64")} ${headers["webhook-signature"]}`;
      const both = { ...headers, "webhook-signature": signature };
      expect(await sdk.webhooks.unwrap({ body, headers: both, secret })).toMatchObject({ id: "evt_1" });
    },
  },
  {
    section: "11.1",
    title: "A secret without `whsec_` is its own UTF-8 bytes",
    async check({ sdk }) {
      const plain = "a plain secret";
      const headers = delivery({ key: Buffer.from(plain) });
      expect(await sdk.webhooks.unwrap({ body, headers, secret: plain })).toMatchObject({ id: "evt_1" });
    },
  },
];

const now = () => Math.floor(Date.now() / 1000);

interface Signed {
  id?: string;
  timestamp?: string;
  key?: Buffer;
}

/** By hand, so that it is not our own code that judges our own signatures. */
function sign({ id = "wh_1", timestamp = String(now()), key }: Signed): string {
  const bytes = key ?? Buffer.from(secret.slice("whsec_".length), "base64");
  const signed = createHmac("sha256", bytes).update(`${id}.${timestamp}.${body}`);
  return `v1,${signed.digest("base64")}`;
}

function delivery({ id = "wh_1", timestamp = String(now()), ...rest }: Signed = {}) {
  return {
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": sign({ id, timestamp, ...rest }),
  };
}
