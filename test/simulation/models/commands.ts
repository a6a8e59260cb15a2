import { deepStrictEqual, ok } from "node:assert/strict";
import fc from "fast-check";
import type { BatchObject } from "../../../src/batch/batch.ts";
import { refusalOf } from "../clients/connection.ts";
import { newKnownBatch } from "../clients/ledger.ts";
import { see } from "../clients/see.ts";
import { ask } from "../oracle/check-all.ts";
import { inputOf } from "../program/input.ts";
import { allowed, type BatchKind, finalStatuses, type Model, type ModelBatch } from "./model.ts";
import type { ModelWorld } from "./world.ts";

type Command = fc.AsyncCommand<Model, ModelWorld>;

const project = "default";

const kinds = fc.record<BatchKind>({
  answered: fc.integer({ min: 0, max: 3 }),
  refused: fc.integer({ min: 0, max: 2 }),
  slow: fc.integer({ min: 0, max: 2 }),
  isBad: fc.oneof({ weight: 6, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
  window: fc.constantFrom(5, 86_400),
});

/** What users and machines do, each checked against the model. */
export const commands = [
  kinds.filter(({ answered, refused, slow }) => answered + refused + slow > 0).map(create),
  fc.constantFrom(1, 300, 4_000, 10_000, 70_000).map(pass),
  fc.nat(5).map(retrieve),
  fc.nat(5).map(cancel),
  fc.nat(5).map(retry),
  fc.nat(5).map(deleteInput),
  fc.constantFrom<"kill" | "power">("kill", "power").map(restart),
];

function command(name: string, run: Command["run"]): Command {
  return { check: () => true, run, toString: () => name };
}

/** A command for the batch that `nth` means, as long as there is one. */
function onBatch(
  name: string,
  nth: number,
  run: (batch: ModelBatch, m: Model, w: ModelWorld) => Promise<void>,
) {
  const find = ({ batches }: Model) => batches[nth % batches.length];
  return {
    check: ({ batches }: Model) => batches.length > 0,
    run: async (model: Model, world: ModelWorld) => {
      const batch = find(model);
      if (batch !== undefined) await run(batch, model, world);
    },
    toString: () => `${name}(${nth})`,
  };
}

function create(kind: BatchKind): Command {
  return command(`create(${JSON.stringify(kind)})`, async (model, { scene }) => {
    const { world, connection, ledger } = scene;
    const input = inputOf(kind, model.batches.length);
    const createdAt = world.now;
    const batch = await ask(
      world,
      connection.request(async ({ files, batches }) => {
        const staged = await files.begin();
        await staged.write([input.bytes]);
        const file = await staged.finish(project, { filename: "in.jsonl", purpose: "batch" });
        ledger.files.set(file.id, {
          id: file.id,
          project,
          bytes: input.bytes,
          input,
          deletedAt: null,
          maybeDeleted: false,
        });
        const about = {
          endpoint: "/v1/chat/completions",
          completion_window: kind.window === 5 ? "5s" : "24h",
        };
        return batches.create(project, { input_file_id: file.id, ...about });
      }),
    );
    deepStrictEqual(
      [batch.status, batch.request_counts.total, batch.output_file_id],
      ["validating", 0, null],
    );
    add(model, batch, {
      kind,
      lines: kind.answered + kind.refused + kind.slow,
      createdAt,
      scene,
      retryOf: null,
    });
  });
}

interface Addition {
  kind: BatchKind;
  lines: number;
  createdAt: number;
  scene: ModelWorld["scene"];
  retryOf: string | null;
}

function add(model: Model, batch: BatchObject, { kind, lines, createdAt, scene, retryOf }: Addition): void {
  const { id, input_file_id: inputId } = batch;
  scene.ledger.batches.set(id, newKnownBatch({ id, project, inputId, retryOf }));
  const times = { createdAt, disturbedAt: scene.world.now };
  model.batches.push({
    id,
    inputId,
    kind,
    lines,
    ...times,
    cancelled: false,
    status: batch.status,
    final: null,
  });
}

function pass(ms: number): Command {
  return command(`pass(${ms})`, async (_, world) => world.pass(ms));
}

function retrieve(nth: number): Command {
  return onBatch("retrieve", nth, async (batch, _, world) => void (await look(batch, world)));
}

/** The batch as it is shown, which has to be as the model allows. */
async function look(batch: ModelBatch, { scene }: ModelWorld): Promise<BatchObject> {
  const { world, connection, ledger } = scene;
  const askedAt = world.now;
  const shown = await ask(
    world,
    connection.request(({ batches }) => batches.retrieve(project, batch.id)),
  );
  see(ledger, shown, askedAt);
  const may = [...allowed(batch, askedAt), ...allowed(batch, world.now)];
  ok(may.includes(shown.status), `${batch.id} is ${shown.status}, and may be ${may.join(", ")}`);
  batch.status = shown.status;
  if (!finalStatuses.includes(shown.status)) return shown;
  batch.final ??= JSON.stringify(shown);
  deepStrictEqual(JSON.stringify(shown), batch.final);
  const { completed, failed, total } = shown.request_counts;
  if (shown.status === "completed") deepStrictEqual([completed + failed, total], [batch.lines, batch.lines]);
  return shown;
}

function cancel(nth: number): Command {
  return onBatch("cancel", nth, async (batch, _, modelWorld) => {
    const { world, connection, ledger } = modelWorld.scene;
    const before = await look(batch, modelWorld);
    const askedAt = world.now;
    try {
      const shown = await ask(
        world,
        connection.request(({ batches }) => batches.cancel(project, batch.id)),
      );
      ok(["cancelling", "cancelled"].includes(shown.status), `a cancel answered ${shown.status}`);
      ok(!["completed", "failed", "expired"].includes(before.status), `${before.status} was cancelled`);
      if (!batch.cancelled) batch.disturbedAt = askedAt;
      batch.cancelled = true;
      see(ledger, shown, askedAt);
    } catch (reason) {
      deepStrictEqual(refusalOf(reason), "batch_not_cancellable");
      const after = await look(batch, modelWorld);
      ok(["completed", "failed", "expired"].includes(after.status), `${after.status} cannot be cancelled`);
    }
  });
}

function retry(nth: number): Command {
  return onBatch("retry", nth, async (batch, model, modelWorld) => {
    const { world, connection } = modelWorld.scene;
    const before = await look(batch, modelWorld);
    const { total, completed } = before.request_counts;
    const lines = batch.final === null ? 0 : total - completed;
    const createdAt = world.now;
    try {
      const shown = await ask(
        world,
        connection.request(({ batches }) => batches.retry(project, batch.id)),
      );
      ok(
        lines > 0 && !model.deleted.has(batch.inputId),
        `a batch with ${lines} failed lines was begun again`,
      );
      deepStrictEqual(shown.metadata, { retry_of: batch.id });
      // How many of them are slow nobody knows; all may be.
      add(model, shown, {
        ...modelWorld,
        kind: { ...batch.kind, slow: batch.kind.slow },
        lines,
        createdAt,
        retryOf: batch.id,
      });
    } catch (reason) {
      const code = refusalOf(reason);
      if (code === "batch_not_final") ok(batch.final === null, "a final batch is not final");
      else if (code === "invalid_request") deepStrictEqual(lines, 0);
      else if (code === "input_file_gone") ok(model.deleted.has(batch.inputId), "the input is there");
      else throw reason;
    }
  });
}

function deleteInput(nth: number): Command {
  return onBatch("delete", nth, async (batch, model, modelWorld) => {
    const { world, connection, ledger } = modelWorld.scene;
    for (const twin of model.batches) if (twin.inputId === batch.inputId) await look(twin, modelWorld);
    const inUse = model.batches.some((twin) => twin.inputId === batch.inputId && twin.final === null);
    const known = ledger.files.get(batch.inputId);
    try {
      await ask(
        world,
        connection.request(({ files }) => files.delete(project, batch.inputId)),
      );
      for (const twin of model.batches) if (twin.inputId === batch.inputId) await look(twin, modelWorld);
      ok(batch.final !== null, "a file was deleted that a batch reads");
      ok(!model.deleted.has(batch.inputId), "a file was deleted twice");
      model.deleted.add(batch.inputId);
      if (known !== undefined) known.deletedAt = world.now;
    } catch (reason) {
      const code = refusalOf(reason);
      if (code === "file_in_use") ok(inUse, "a file is in use that nobody reads");
      else if (code === "file_not_found") ok(model.deleted.has(batch.inputId), "a file is gone");
      else throw reason;
    }
  });
}

function restart(kind: "kill" | "power"): Command {
  return command(`restart(${kind})`, async (model, { keeper, scene }) => {
    await keeper.restart(kind);
    for (const batch of model.batches) batch.disturbedAt = scene.world.now;
  });
}
