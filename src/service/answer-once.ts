import { createHash } from "node:crypto";
import { type ErrorCode, NerifError } from "../batch/errors.ts";
import { limits } from "../batch/limits.ts";
import type { ControlStore } from "../control/control-store.ts";
import type { StoredAnswer } from "../control/idempotency-records.ts";
import { type Clock, unixSeconds } from "../engine/clock.ts";
import type { CreateOptions } from "./create-options.ts";
import { isRecord } from "./type-name.ts";

/** What is asked for. */
export interface Asked {
  project: string;
  /** Method and path. */
  route: string;
  /** All that decides what is created, checked and with defaults filled in. */
  params: object;
  options: CreateOptions;
}

/** The record of an answer, to be inserted with what it tells of; undefined when the client gave no key. */
export type RecordOf<T> = (answer: T) => StoredAnswer | undefined;

/**
 * Creates something, unless its idempotency key has an answer already: then that one is given again.
 *
 * @param create has to insert the record in the transaction that makes its answer true; when that fails with
 *   `idempotency_key_reused`, it must leave nothing behind
 * @throws NerifError `invalid_value` for what cannot be a key, `idempotency_key_reused` when something else was
 *   created under it; whatever `create` throws
 */
export async function answerOnce<T>(
  asked: Asked,
  {
    control,
    clock,
    create,
  }: { control: ControlStore; clock: Clock; create: (recordOf: RecordOf<T>) => Promise<T> },
): Promise<T> {
  const { project, route, params, options } = asked;
  const key = options.idempotencyKey;
  if (key === undefined) return create(() => undefined);
  checkIdempotencyKey(key);
  const earlier = () => control.getAnswer(project, key, unixSeconds(clock));
  const first = await earlier();
  if (first !== null) return answerAgain(first, asked);
  try {
    return await create((answer) => {
      const [fingerprint, created_at] = [fingerprintOf(route, params), unixSeconds(clock)];
      return { project, key, fingerprint, answer_json: JSON.stringify(answer), created_at };
    });
  } catch (reason) {
    if (!mayBeForTwin(reason)) throw reason;
    const twin = await earlier();
    if (twin === null) throw reason;
    return answerAgain(twin, asked);
  }
}

/** A twin that came at the same time may have been first, and what it created may have used up the quota. */
function mayBeForTwin(reason: unknown): boolean {
  const codes: ErrorCode[] = ["idempotency_key_reused", "quota_exceeded"];
  return reason instanceof NerifError && codes.includes(reason.code);
}

/**
 * Gives the first answer again, if it was to the same request.
 *
 * @throws NerifError `idempotency_key_reused`
 */
export function answerAgain<T>(first: StoredAnswer, { route, params, options }: Omit<Asked, "project">): T {
  if (first.fingerprint !== fingerprintOf(route, params)) throw reused(first.key);
  options.onReplay?.();
  return JSON.parse(first.answer_json) as T;
}

/** @throws NerifError `invalid_value` */
export function checkIdempotencyKey(key: string): void {
  if (/^[\x21-\x7e]+$/.test(key) && key.length <= limits.idempotencyKey.length) return;
  throw new NerifError(
    "invalid_value",
    `Invalid 'Idempotency-Key': it must have 1 to ${limits.idempotencyKey.length} visible ASCII characters.`,
    { param: "Idempotency-Key" },
  );
}

/** Hexadecimal SHA-256, the same whatever order the keys of objects are in. */
function fingerprintOf(route: string, params: object): string {
  const text = JSON.stringify([route, params], (_, value: unknown) =>
    isRecord(value)
      ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
  return createHash("sha256").update(text).digest("hex");
}

/** The refusal of a key under which something else was created. */
export function reused(key: string): NerifError {
  return new NerifError(
    "idempotency_key_reused",
    `Cannot use the Idempotency-Key '${key.slice(0, 80)}' again: something else was created with it in the last 24 hours.`,
    { param: "Idempotency-Key" },
  );
}
