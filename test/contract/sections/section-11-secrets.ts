import { expect } from "vitest";
import { startWebhookReceiver } from "../../support/webhook-receiver.ts";
import { endpointParams as params, withEndpoint } from "../endpoint-steps.ts";
import type { Row } from "../row.ts";
import type { Params, Sdk } from "../sdk/sdk.ts";
import { refusal } from "../steps.ts";

/** Changing the secret of a webhook endpoint, and testing one: §11.2. */
export const secretRows: Row[] = [
  {
    section: "11.2",
    title: "`POST …/rotate_secret` gives a new secret; the SDKs send `{}` when nothing is given",
    needs: "webhooks.create",
    async check({ sdk, server }) {
      await withEndpoint(sdk, async ({ id, signing_secret }) => {
        const rotated = await sdk.webhooks.rotateSecret(id);
        expect(server.last()).toMatchObject({
          path: `/v1/webhook_endpoints/${id}/rotate_secret`,
          body: "{}",
        });
        expect(rotated.signing_secret).toMatch(/^whsec_/);
        expect(rotated.signing_secret).not.toBe(signing_secret);
      });
    },
  },
  {
    section: "11.2",
    title: "Without `keep_old_secret_active_for_24_hours` the old secret is void at once",
    needs: "webhooks.create",
    async check({ sdk }) {
      const { signatures, accepts, old, fresh } = await rotateAndTest(sdk, {});
      expect(signatures).toBe(1);
      expect(await accepts(fresh)).toBe(true);
      expect(await accepts(old)).toBe(false);
    },
  },
  {
    section: "11.2",
    title: "With it both are valid for 24 h: deliveries carry two signatures",
    needs: "webhooks.create",
    async check({ sdk }) {
      const keep = { keep_old_secret_active_for_24_hours: true };
      const { signatures, accepts, old, fresh } = await rotateAndTest(sdk, keep);
      expect(signatures).toBe(2);
      expect(await accepts(fresh)).toBe(true);
      expect(await accepts(old)).toBe(true);
    },
  },
  {
    section: "11.2",
    title:
      "`POST …/test` answers `object`, `webhook_endpoint_id`, `event_type`, `status_code`, `success: true`, whatever the receiver said",
    needs: "webhooks.create",
    async check({ sdk }) {
      for (const status_code of [204, 500]) {
        const { url } = await startWebhookReceiver({ answers: [status_code] });
        await withEndpoint(
          sdk,
          async ({ id }) => {
            expect(await sdk.webhooks.test(id, { event_type: "batch.completed" })).toMatchObject({
              object: "webhook_endpoint.test",
              webhook_endpoint_id: id,
              event_type: "batch.completed",
              status_code,
              success: true,
            });
          },
          { url },
        );
      }
    },
  },
  {
    section: "11.2",
    title: "`event_type` is required for a test",
    needs: "webhooks.create",
    async check({ sdk }) {
      await withEndpoint(sdk, async ({ id }) => {
        const call = sdk.request({ method: "post", path: `/webhook_endpoints/${id}/test`, body: {} });
        expect(await refusal(call)).toMatchObject({ status: 400, param: "event_type" });
      });
    },
  },
  {
    section: "11.2",
    title: "A test that reaches nobody",
    difference: "Not public at OpenAI; 502 `webhook_unreachable`, with `x-should-retry: false`",
    needs: "webhooks.create",
    async check({ sdk, server }) {
      const receiver = await startWebhookReceiver();
      await receiver.close();
      await withEndpoint(
        sdk,
        async ({ id }) => {
          const refused = await refusal(sdk.webhooks.test(id, { event_type: "batch.failed" }));
          expect(refused).toMatchObject({ status: 502, code: "webhook_unreachable" });
          expect(server.last().answerHeaders["x-should-retry"]).toBe("false");
        },
        { url: receiver.url },
      );
    },
  },
];

async function rotateAndTest(sdk: Sdk, rotation: Params) {
  const receiver = await startWebhookReceiver();
  const endpoint = await sdk.webhooks.create({ ...params, url: receiver.url });
  const rotated = await sdk.webhooks.rotateSecret(endpoint.id, rotation);
  await sdk.webhooks.test(endpoint.id, { event_type: "batch.completed" });
  await sdk.webhooks.delete(endpoint.id);
  const [{ body, headers } = { body: "", headers: {} }] = receiver.received;
  return {
    signatures: (headers as Record<string, string>)["webhook-signature"]?.split(" ").length,
    old: endpoint.signing_secret ?? "",
    fresh: rotated.signing_secret ?? "",
    accepts: (secret: string) =>
      sdk.webhooks.unwrap({ body, headers, secret }).then(
        () => true,
        () => false,
      ),
  };
}
