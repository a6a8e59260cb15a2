import { expect, it } from "vitest";
import { aWebhookEndpoint } from "../../test/support/control-rows.ts";
import { openTestInstance, project } from "../../test/support/http-instance.ts";

it.each([true, false])(
  "a rotation whose answer was lost on its way (old secret kept: %s) is made once",
  async (keep) => {
    const { service, control } = await openTestInstance();
    const endpoint = aWebhookEndpoint();
    await control.insertWebhookEndpoint(endpoint, 1);
    const { updateWebhookEndpoint } = control;
    let writes = 0;
    // The database ran it again, and found the version of the first time.
    control.updateWebhookEndpoint = async (...change) => {
      writes += 1;
      const changed = await updateWebhookEndpoint(...change);
      return writes === 1 ? null : changed;
    };
    const params = { keep_old_secret_active_for_24_hours: keep };
    const { signing_secret } = await service.webhooks.rotate(project, endpoint.id, params);
    expect(signing_secret).not.toBe(endpoint.secret);
    expect(await control.getWebhookEndpoint(project, endpoint.id)).toMatchObject({
      ...{ version: 2, secret: signing_secret },
      old_secret: keep ? endpoint.secret : null,
    });
  },
);

it("a rotation that another one was before is made upon that one", async () => {
  const { service, control } = await openTestInstance();
  const endpoint = aWebhookEndpoint();
  await control.insertWebhookEndpoint(endpoint, 1);
  const { updateWebhookEndpoint } = control;
  let writes = 0;
  control.updateWebhookEndpoint = async (id, version, patch) => {
    writes += 1;
    if (writes === 1) await updateWebhookEndpoint(id, version, { secret: "whsec_others" });
    return updateWebhookEndpoint(id, version, patch);
  };
  const params = { keep_old_secret_active_for_24_hours: true };
  const { signing_secret } = await service.webhooks.rotate(project, endpoint.id, params);
  expect(await control.getWebhookEndpoint(project, endpoint.id)).toMatchObject({
    ...{ secret: signing_secret, old_secret: "whsec_others" },
  });
});
