import { z } from "zod";
import { noQuotas, type Quotas } from "../batch/api-key.ts";
import { NerifError } from "../batch/errors.ts";
import { parseParams } from "./parse-params.ts";
import { storableText } from "./storable-text.ts";

const projectPattern = /^[a-z0-9][a-z0-9_-]{0,62}$/;

const amount = z.int().min(0).nullable().optional();

const keyParams = z.strictObject({
  project: z.string().optional(),
  name: storableText(256).optional(),
  quotas: z
    .strictObject({
      stored_bytes: amount,
      open_uploads: amount,
      queued_lines: amount,
      requests_per_second: z.number().min(0.001).max(1_000_000).nullable().optional(),
    })
    .optional(),
});

/** What a key is made of. */
export interface KeyParams {
  /** Default `default`. */
  project?: string | undefined;
  /** For people; up to 256 characters. Default `key`. */
  name?: string | undefined;
  /** Default none. */
  quotas?: { [Q in keyof Quotas]?: number | null | undefined } | undefined;
}

/** @throws NerifError see `parseParams` */
export function checkKeyParams(params: KeyParams): { project: string; name: string; quotas: Quotas } {
  const { project = "default", name = "key", quotas } = parseParams(keyParams, params, "create a key");
  if (!projectPattern.test(project)) {
    throw new NerifError(
      "invalid_value",
      `Cannot use ${JSON.stringify(project.slice(0, 80))} as a project: it must be 1 to 63 of a-z, 0-9, _ and -, and begin with a letter or digit`,
      { param: "project" },
    );
  }
  return { project, name, quotas: { ...noQuotas, ...withoutUndefined(quotas ?? {}) } };
}

function withoutUndefined(quotas: NonNullable<KeyParams["quotas"]>): Partial<Quotas> {
  return Object.fromEntries(Object.entries(quotas).filter(([, value]) => value !== undefined));
}
