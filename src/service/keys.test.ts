import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { createTestClock } from "../../test/support/clock.ts";
import { openTestInstance } from "../../test/support/http-instance.ts";
import { storedBytes } from "../../test/support/stored.ts";
import type { StoredApiKey } from "../batch/api-key.ts";
import { noQuotas } from "../batch/api-key.ts";
import type { KeyParams } from "./key-params.ts";
import { createKeyService } from "./keys.ts";

async function service() {
  const instance = await openTestInstance({ clock: createTestClock() });
  return { ...instance, keys: instance.service.keys };
}

it("a key is 32 random bytes behind a prefix and is stored as its hash alone", async () => {
  const { keys, control, dataDir } = await service();
  const { key, object } = await keys.create({ project: "a-b_9", name: "nightly" });
  expect(key).toMatch(/^sk-nerif-[A-Za-z0-9_-]{43}$/);
  expect((await keys.create({})).key).not.toBe(key);
  expect(object).toEqual({
    id: expect.stringMatching(/^key_[0-9a-f]{32}$/),
    object: "api_key",
    project: "a-b_9",
    name: "nightly",
    hint: key.slice(-4),
    quotas: noQuotas,
    created_at: 1_795_300_000,
    revoked_at: null,
  });
  const hash = createHash("sha256").update(key).digest("hex");
  expect(await control.findApiKey(hash)).toMatchObject({ id: object.id, hash });
  const stored = await storedBytes(dataDir);
  expect(stored.includes(hash)).toBe(true);
  expect(stored.includes(key.slice(-43, -5))).toBe(false);
});

it.each<[object, string]>([
  [{ project: "" }, "invalid_value"],
  [{ project: "Upper" }, "invalid_value"],
  [{ project: "../x" }, "invalid_value"],
  [{ project: "a".repeat(64) }, "invalid_value"],
  [{ name: "" }, "string_below_min_length"],
  [{ name: "x".repeat(257) }, "string_above_max_length"],
  [{ quotas: { stored_bytes: -1 } }, "integer_below_min_value"],
  [{ quotas: { stored_bytes: 1.5 } }, "invalid_type"],
  [{ quotas: { requests_per_second: 0 } }, "integer_below_min_value"],
  [{ quotas: { bytes: 1 } }, "unknown_parameter"],
  [{ hash: "x" }, "unknown_parameter"],
])("a key is refused when it is made of %j", async (params, code) => {
  const { keys } = await service();
  await expect(keys.create(params as KeyParams)).rejects.toMatchObject({ code });
  expect(await keys.required()).toBe(false);
});

it("a key is known until it is revoked, which can be said again", async () => {
  const { keys, control, clock } = await service();
  const { key, object } = await keys.create({ quotas: { queued_lines: 5, open_uploads: null } });
  const stored = { quotas: { ...noQuotas, queued_lines: 5 }, project: "default", id: object.id };
  expect(await keys.authenticate(key)).toMatchObject(stored);
  expect(await keys.identify(key)).toMatchObject(stored);
  // Another process, which has asked for the key before.
  const elsewhere = createKeyService({ control, clock });
  const revoked = await elsewhere.revoke(object.id);
  expect(revoked).toEqual({ ...object, revoked_at: 1_795_300_000 });
  expect(await elsewhere.revoke(object.id)).toEqual(revoked);
  await expect(keys.authenticate(key)).rejects.toMatchObject({ code: "invalid_api_key" });
  expect(await keys.identify(key)).toBeNull();
  expect(await keys.list()).toEqual([revoked]);
});

it("a key that was drawn elsewhere is admitted once, however many processes ask for it", async () => {
  const { keys, control, clock } = await service();
  const elsewhere = createKeyService({ control, clock });
  const key = "c0ffee00".repeat(8);
  const first = await keys.admit(key, { name: "admin" });
  expect(first).toMatchObject({ project: "default", name: "admin", hint: "ee00" });
  expect(await elsewhere.admit(key, { name: "again" })).toEqual(first);
  expect(await keys.list()).toEqual([first]);
  expect(await keys.authenticate(key)).toMatchObject({ id: first.id });
  const another = "decade00".repeat(8);
  const both = await Promise.all([keys.admit(another, {}), elsewhere.admit(another, {})]);
  expect(both[0]).toEqual(both[1]);
  expect(await keys.list()).toHaveLength(2);
});

it("a key that was drawn elsewhere is refused when it could be guessed, was revoked, or is of another project", async () => {
  const { keys } = await service();
  for (const key of ["", "short", "x".repeat(31), "x".repeat(257), `${"x".repeat(32)} y`]) {
    await expect(keys.admit(key, {})).rejects.toMatchObject({ code: "invalid_value" });
  }
  const key = "c0ffee00".repeat(8);
  const { id } = await keys.admit(key, { project: "search" });
  const refusal = await keys.admit(key, {}).catch((reason: Error) => reason);
  expect(refusal).toMatchObject({ code: "invalid_value", message: expect.stringContaining("search") });
  expect((refusal as Error).message).not.toContain(key);
  await keys.revoke(id);
  await expect(keys.admit(key, { project: "search" })).rejects.toMatchObject({
    message: "Cannot admit the key: it was revoked",
  });
});

it("a revocation of what is no key is refused and does not show what was given", async () => {
  const { keys } = await service();
  const { key } = await keys.create({});
  for (const id of [key, "", "key_", `key_${"0".repeat(32)}`]) {
    const refusal = await keys.revoke(id).catch((reason: Error) => reason);
    expect(refusal).toMatchObject({ code: "api_key_not_found" });
    expect((refusal as Error).message).not.toContain(key);
  }
});

it.each([
  ["sk-nerif-0123456789", "sk-nerif-0123456789", "***"],
  ["sk-nerif-0123456789a", "sk-nerif-0123456789a", "sk-ne...9a"],
  ["a key of 9,000 characters", "x".repeat(9_000), "xxxxx...xx"],
])("the refusal of %s shows little of it", async (_name, given, shown) => {
  const { keys } = await service();
  await expect(keys.authenticate(given)).rejects.toMatchObject({
    code: "invalid_api_key",
    message: `Incorrect API key provided: ${shown}. Whoever runs this server can give you one.`,
  });
});

it("a key that the database finds by another hash is refused", async () => {
  const { control, clock, keys } = await service();
  const { object } = await keys.create({});
  const [stored] = await control.listApiKeys();
  const careless = { ...control, findApiKey: async () => stored as StoredApiKey };
  const fooled = createKeyService({ control: careless, clock });
  await expect(fooled.authenticate("sk-nerif-another-key-entirely")).rejects.toMatchObject({
    code: "invalid_api_key",
  });
  expect(stored?.id).toBe(object.id);
});

it("keys stay required when the database forgets them", async () => {
  const { control, clock, keys } = await service();
  const forgetful = { ...control };
  const watched = createKeyService({ control: forgetful, clock });
  expect(await watched.required()).toBe(false);
  await keys.create({});
  expect(await watched.required()).toBe(true);
  forgetful.hasApiKeys = async () => false;
  forgetful.findApiKey = async () => null;
  expect(await watched.required()).toBe(true);
});
