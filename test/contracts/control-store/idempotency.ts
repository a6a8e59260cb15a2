import { expect, test } from "vitest";
import type { StoredAnswer } from "../../../src/control/idempotency-records.ts";
import { aBatch, aFile } from "../../support/control-rows.ts";
import type { Stores } from "../control-store.ts";

const now = 1_767_225_600;
const day = 86_400;

function anAnswer(more: Partial<StoredAnswer> = {}): StoredAnswer {
  const answer = {
    project: "default",
    key: "k",
    fingerprint: "f",
    answer_json: '{"id":"ü"}',
    created_at: now,
  };
  return { ...answer, ...more };
}

export function idempotencyTests(stores: () => Stores): void {
  test("an answer comes back in its project and under its key when another process asks", async () => {
    const { store, other } = stores();
    const [file, batch] = [anAnswer(), anAnswer({ key: "K" })] as const;
    await store.insertFile(aFile(), { answer: file });
    await store.insertBatch(aBatch(), { answer: batch });
    expect(await other.getAnswer("default", "k", now)).toEqual(file);
    expect(await other.getAnswer("default", "K", now)).toEqual(batch);
    expect(await other.getAnswer("other", "k", now)).toBeNull();
    expect(await other.getAnswer("default", "x", now)).toBeNull();
  });

  test("nothing is recorded under a key that has an answer, whatever the answer", async () => {
    const { store } = stores();
    await store.insertFile(aFile(), { answer: anAnswer() });
    const [file, batch] = [aFile(), aBatch()];
    const again = anAnswer({ fingerprint: "g", created_at: now + day - 1 });
    await expect(store.insertFile(file, { answer: again })).rejects.toMatchObject({
      code: "idempotency_key_reused",
    });
    await expect(store.insertBatch(batch, { answer: again })).rejects.toMatchObject({
      code: "idempotency_key_reused",
    });
    expect(await store.getFile(null, file.id)).toBeNull();
    expect(await store.getBatch(null, batch.id)).toBeNull();
    expect(await store.getAnswer("default", "k", now)).toEqual(anAnswer());
  });

  test("no answer is recorded when its file or batch cannot be", async () => {
    const { store } = stores();
    const taken = aFile();
    await store.insertFile(taken);
    await store.deleteFile("default", taken.id);
    await expect(store.insertFile(aFile({ id: taken.id }), { answer: anAnswer() })).rejects.toMatchObject({
      code: "file_exists",
    });
    const orphan = aBatch({ input_file_id: taken.id });
    await expect(store.insertBatch(orphan, { answer: anAnswer() })).rejects.toMatchObject({
      code: "input_file_gone",
    });
    expect(await store.getAnswer("default", "k", now)).toBeNull();
  });

  test("one of two processes records a batch under a key when both do at once", async () => {
    const { store, other } = stores();
    for (let round = 0; round < 20; round++) {
      const batches = [aBatch(), aBatch()] as const;
      const key = `k${round}`;
      const results = await Promise.allSettled([
        store.insertBatch(batches[0], { answer: anAnswer({ key, fingerprint: batches[0].id }) }),
        other.insertBatch(batches[1], { answer: anAnswer({ key, fingerprint: batches[1].id }) }),
      ]);
      const winner = results.findIndex(({ status }) => status === "fulfilled");
      expect(results[1 - winner]).toMatchObject({ reason: { code: "idempotency_key_reused" } });
      expect((await store.getAnswer("default", key, now))?.fingerprint).toBe(batches[winner]?.id);
      expect(await store.getBatch(null, batches[1 - winner]?.id ?? "")).toBeNull();
    }
  });

  test("a key is free again when its answer is a day old, also before the sweep", async () => {
    const { store } = stores();
    await store.insertFile(aFile(), { answer: anAnswer() });
    expect(await store.getAnswer("default", "k", now + day - 1)).toEqual(anAnswer());
    expect(await store.getAnswer("default", "k", now + day)).toBeNull();
    const next = anAnswer({ fingerprint: "g", created_at: now + day });
    await store.insertFile(aFile(), { answer: next });
    expect(await store.getAnswer("default", "k", now + day)).toEqual(next);
  });

  test("the sweep takes old answers of all projects and leaves the others", async () => {
    const { store } = stores();
    const old = [anAnswer(), anAnswer({ project: "other" })];
    const young = anAnswer({ key: "young", created_at: now + 1 });
    for (const answer of [...old, young]) await store.insertFile(aFile(), { answer });
    await store.removeOldAnswers(now + day);
    // Asked as of a time at which none of them would be too old.
    expect(await store.getAnswer("default", "k", now)).toBeNull();
    expect(await store.getAnswer("other", "k", now)).toBeNull();
    expect(await store.getAnswer("default", "young", now)).toEqual(young);
  });
}
