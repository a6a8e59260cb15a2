import { randomBytes } from "node:crypto";
import { NerifError } from "./errors.ts";

const shapes = {
  file: /^file-[A-Za-z0-9]{22,32}$/,
  batch: /^batch_[0-9a-f]{32}$/,
  upload: /^upload_[0-9a-f]{32}$/,
  part: /^part_[0-9a-f]{32}$/,
  webhook_endpoint: /^whe_[0-9a-f]{32}$/,
  api_key: /^key_[0-9a-f]{32}$/,
} as const;

export type IdKind = keyof typeof shapes;

/** Whether a value has the exact shape of an id. Checked before an id is used for anything, above all as a file name. */
export function isId(kind: IdKind, value: unknown): value is string {
  return typeof value === "string" && shapes[kind].test(value);
}

/** @throws NerifError `invalid_id` when `value` does not have the shape. */
export function assertId(kind: IdKind, value: unknown, param: string): asserts value is string {
  if (isId(kind, value)) return;
  const shown = JSON.stringify(String(value).slice(0, 80));
  throw new NerifError(
    "invalid_id",
    `Cannot use ${shown} as a ${kind} id: it must match ${shapes[kind].source}`,
    {
      param,
    },
  );
}

const alphanumerics = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** `file-` and 22 alphanumerics, about 131 random bits. */
export function newFileId(random: (size: number) => Uint8Array = randomBytes): string {
  let text = "";
  while (text.length < 22) {
    // 248 = 4 x 62: larger bytes would favour the first letters.
    for (const byte of random(32)) if (byte < 248 && text.length < 22) text += alphanumerics[byte % 62];
  }
  return `file-${text}`;
}

/** `batch_` and 32 hexadecimal digits, the first eight of them `createdAt` (seconds), as OpenAI's have. */
export function newBatchId(createdAt: number, random: (size: number) => Uint8Array = randomBytes): string {
  const time = createdAt.toString(16).padStart(8, "0").slice(-8);
  return `batch_${time}${Buffer.from(random(12)).toString("hex")}`;
}

const prefixes = {
  upload: "upload_",
  part: "part_",
  webhook_endpoint: "whe_",
  webhook_event: "evt_",
  webhook_delivery: "wh_",
  api_key: "key_",
} as const;

/** The prefix of the kind and 32 random hexadecimal digits. */
export function newId(
  kind: keyof typeof prefixes,
  random: (size: number) => Uint8Array = randomBytes,
): string {
  return `${prefixes[kind]}${Buffer.from(random(16)).toString("hex")}`;
}

/** What stands before the `lineKey` in the id of a line. */
export const lineIdPrefix = "batch_req_";

/** The id of one line's result. Derived, so that a result file written again has the same bytes. */
export function lineId(batchId: string, line: number): string {
  return lineIdPrefix + lineKey(batchId, line);
}

/** 32 hexadecimal digits that name one line of one batch: the `request_id` where the upstream gives none. */
export function lineKey(batchId: string, line: number): string {
  return batchId.slice("batch_".length, "batch_".length + 24) + line.toString(16).padStart(8, "0");
}
