import { isDeepStrictEqual } from "node:util";
import type { BatchObject } from "../../../src/batch/batch.ts";
import { refusalOf } from "../clients/connection.ts";
import { type KnownBatch, newKnownBatch } from "../clients/ledger.ts";
import { see } from "../clients/see.ts";
import { readInput } from "../program/input.ts";
import { dataDir } from "../program/server.ts";
import type { Scene } from "../run-seed.ts";
import { type BatchEvidence, checkResults } from "./results.ts";
import { checkSends } from "./sends.ts";
import { checkWebhooks } from "./webhooks.ts";

/** So long a sweep may take on the slowest disk. */
const sweepMs = 60_000;

/** Holds what is there, after a last death and a last start, against what was promised. */
export async function checkAll(scene: Scene): Promise<void> {
  await checkFiles(scene);
  const evidence = new Map<string, BatchEvidence>();
  for (const batch of await allBatches(scene)) {
    const found = await checkBatch(scene, batch);
    if (found !== null) evidence.set(batch.id, found);
  }
  for (const one of evidence.values()) checkRetry(one, evidence, scene.world);
  checkSends(scene);
  checkWebhooks(scene);
  checkRepeatedCreations(scene);
  await checkRemains(scene);
}

/** Acknowledged files are there with their bytes, deleted ones are not. */
async function checkFiles(scene: Scene): Promise<void> {
  const { ledger, world } = scene;
  for (const file of ledger.files.values()) {
    const bytes = await download(scene, file);
    if (file.deletedAt !== null) {
      if (bytes !== null) world.violation(`${file.id} was deleted and is there`);
    } else if (bytes === null) {
      if (!file.maybeDeleted) world.violation(`${file.id} was acknowledged and is gone`);
    } else if (!bytes.equals(file.bytes)) {
      world.violation(`${file.id} has other bytes than were acknowledged`);
    }
  }
}

/** Those that somebody knows of, and those whose creator got no answer. */
async function allBatches({ ledger, database, world }: Scene): Promise<KnownBatch[]> {
  const known = [...ledger.batches.values()];
  const there = await ask(world, database.store.listBatches({ project: null, limit: 10_000 }));
  for (const { id, project, input_file_id, metadata } of there) {
    if (ledger.batches.has(id)) continue;
    const retryOf = metadata?.retry_of ?? null;
    const batch = newKnownBatch({ id, project, inputId: input_file_id, retryOf });
    ledger.batches.set(id, batch);
    known.push(batch);
  }
  return known;
}

async function checkBatch(scene: Scene, known: KnownBatch): Promise<BatchEvidence | null> {
  const { world, ledger, connection } = scene;
  const askedAt = world.now;
  let batch: BatchObject;
  try {
    const { project, id } = known;
    batch = await ask(
      world,
      connection.request(({ batches }) => batches.retrieve(project, id)),
    );
  } catch (reason) {
    world.violation(`${known.id} was acknowledged and is ${refusalOf(reason)}`);
    return null;
  }
  see(ledger, batch, askedAt);
  if (known.final === null) world.violation(`${known.id} is not final: ${batch.status}`);
  const input = await inputOf(scene, known);
  const output = await linesOf(scene, known, batch.output_file_id);
  const error = await linesOf(scene, known, batch.error_file_id);
  const evidence = { known, batch, input, output, error };
  checkResults(scene, evidence);
  return evidence;
}

/** A batch that runs failed lines again has just these, byte for byte. */
function checkRetry(
  { known, input }: BatchEvidence,
  all: Map<string, BatchEvidence>,
  world: Scene["world"],
): void {
  const first = all.get(known.retryOf ?? "");
  if (input === null || first === undefined || first.input === null) return;
  const failed = new Set((first.error ?? []).map((line) => JSON.parse(line).custom_id));
  const expected = first.input.lines.filter(({ customId }) => failed.has(customId));
  if (isDeepStrictEqual(input.lines, expected)) return;
  world.violation(`${known.id} has ${input.lines.length} lines, not the ${expected.length} failed ones`);
}

async function inputOf(scene: Scene, { project, inputId }: KnownBatch) {
  const known = scene.ledger.files.get(inputId);
  if (known?.input != null) return known.input;
  const bytes = await download(scene, { project, id: inputId });
  return bytes === null ? null : { bytes, lines: readInput(bytes), isBad: false };
}

/** The lines of a result file, null when there is none. */
async function linesOf(scene: Scene, { project }: KnownBatch, id: string | null): Promise<string[] | null> {
  if (id === null) return null;
  const bytes = await download(scene, { project, id });
  if (bytes === null) {
    scene.world.violation(`the result file ${id} is gone`);
    return null;
  }
  const lines = bytes.toString().split("\n");
  if (lines.pop() !== "") scene.world.violation(`${id} does not end with a newline`);
  if (lines.length === 0) scene.world.violation(`${id} is empty and has a name`);
  return lines;
}

async function download(
  { world, connection }: Scene,
  { project, id }: { project: string; id: string },
): Promise<Buffer | null> {
  try {
    return await ask(
      world,
      connection.request(async ({ files }) => {
        const content = await files.content(project, id);
        const chunks: Buffer[] = [];
        for await (const chunk of content.stream()) chunks.push(chunk);
        await content.close();
        return Buffer.concat(chunks);
      }),
    );
  } catch (reason) {
    if (refusalOf(reason) === "file_not_found") return null;
    throw reason;
  }
}

/** The journal of a batch goes when the batch is final, at the latest in the sweep of the next start, which takes its time. */
async function checkRemains({ world }: Scene): Promise<void> {
  const left = () => {
    const journal = world.disk.find(`${dataDir}/journal`);
    return journal?.kind === "directory" ? [...journal.entries.keys()] : [];
  };
  const deadline = world.now + sweepMs;
  await world.run(() => left().length === 0 || world.now > deadline);
  if (left().length > 0) world.violation(`the journal still has ${left().join(", ")}`);
}

/** What was asked for again and again under one idempotency key was created once. */
function checkRepeatedCreations({ ledger, world }: Scene): void {
  const created = new Map<string, string>();
  for (const { id, retryOf, seen } of ledger.batches.values()) {
    const nr = seen?.metadata?.nr ?? "";
    if (retryOf !== null || !ledger.keyed.has(nr)) continue;
    const twin = created.get(nr);
    if (twin !== undefined) world.violation(`${id} and ${twin} were created under one idempotency key`);
    created.set(nr, id);
  }
}

/** Lets the world go on until an answer is there. */
export async function ask<T>(world: Scene["world"], answer: Promise<T>): Promise<T> {
  let settled = false;
  const settle = () => {
    settled = true;
  };
  answer.then(settle, settle);
  await world.run(() => settled);
  return answer;
}
