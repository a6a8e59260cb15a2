import { z } from "zod";
import { parseCompletionWindow, parseDuration } from "../batch/duration.ts";
import { NerifError } from "../batch/errors.ts";
import { limits } from "../batch/limits.ts";
import { parseSize } from "./sizes.ts";

/** How the values of options are read, as text or as what a configuration file may hold. Each refusal says what is allowed. */
export const onOff = z.union(
  [
    z.boolean(),
    z.enum(["1", "true", "yes", "on"]).transform(() => true),
    z.enum(["0", "false", "no", "off"]).transform(() => false),
  ],
  "it must be true or false",
);
export const filled = z.string("it must be text").trim().min(1, "it is empty");
/** The name of an environment variable. */
export const variableSchema = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, {
  error: "it must be the name of an environment variable, never a key itself",
});

const mostConcurrency = 10_000;
const concurrencyReason = `it must be auto, a whole number from 1 to ${mostConcurrency}, or a range such as 4..256`;

/** `auto`, a number, or `MIN..MAX`. */
export const concurrencySchema = z
  .union([z.string(), z.number()], concurrencyReason)
  .transform((value, context): number | { least: number; most: number } | "auto" => {
    const [, min, max] = /^(\d{1,5})(?:\.\.(\d{1,5}))?$/.exec(String(value).trim()) ?? [];
    const [least, most] = [Number(min), Number(max ?? min)];
    if (least >= 1 && most >= least && most <= mostConcurrency)
      return max === undefined ? least : { least, most };
    if (value === "auto") return "auto";
    context.addIssue({ code: "custom", message: concurrencyReason });
    return z.NEVER;
  });

/** A time that is not 0, in milliseconds. */
export const durationSchema = parsed(positiveDuration);

export function oneOf<const T extends readonly string[]>(values: T) {
  return z.enum(values, `it must be one of ${values.join(", ")}`);
}

export function whole(min: number, max: number) {
  const reason = `it must be a whole number from ${min} to ${max}`;
  return z
    .union(
      [
        z.number(),
        z
          .string()
          .regex(/^\d{1,15}$/)
          .transform(Number),
      ],
      reason,
    )
    .refine((value) => Number.isInteger(value) && value >= min && value <= max, reason);
}

export function rate() {
  const reason = "it must be a number from 0.001 to 1000000";
  return z
    .union(
      [
        z.number(),
        z
          .string()
          .regex(/^\d{1,7}(\.\d{1,6})?$/)
          .transform(Number),
      ],
      reason,
    )
    .refine((value) => value >= 0.001 && value <= 1_000_000, reason);
}

export function parsed<T>(parse: (text: string) => T) {
  return z.union([z.string(), z.number()], "it must be text").transform((value, context) => {
    try {
      return parse(String(value));
    } catch (reason) {
      const message = reason instanceof NerifError ? reason.message : "it cannot be read";
      context.addIssue({ code: "custom", message: message.replace(/^Cannot/, "cannot") });
      return z.NEVER;
    }
  });
}

export function positiveDuration(text: string): number {
  const ms = parseDuration(text);
  if (ms > 0) return ms;
  throw new NerifError("invalid_value", "Cannot take 0 as a duration here: it must be longer");
}

export function lineSize(text: string): number {
  const bytes = parseSize(text);
  const { min, max } = limits.settings.lineBytes;
  if (bytes >= min && bytes <= max) return bytes;
  throw new NerifError("invalid_value", `Cannot take ${text} as a line size: it must be from 1 B to 1 GiB`);
}

export function fileSize(text: string): number {
  const bytes = parseSize(text);
  if (bytes >= 1) return bytes;
  throw new NerifError("invalid_value", `Cannot take ${text} as a file size: it must be at least 1 B`);
}

export function windowRange(text: string): { min: number; max: number } {
  const [from, to, ...more] = text.split("..");
  if (from === undefined || to === undefined || more.length > 0) {
    throw new NerifError(
      "invalid_value",
      `Cannot read ${JSON.stringify(text)} as a range: it must look like 1m..7d`,
    );
  }
  const range = { min: parseCompletionWindow(from), max: parseCompletionWindow(to) };
  if (range.min <= range.max) return range;
  throw new NerifError(
    "invalid_value",
    `Cannot take ${JSON.stringify(text)} as a range: ${from} is more than ${to}`,
  );
}

/** In a configuration file it may be a real list. */
export function list() {
  const items = z.array(filled).min(1, "it is empty");
  return z.union(
    [
      items,
      z
        .string()
        .transform((text) => text.split(","))
        .pipe(items),
    ],
    "it must be a list of texts",
  );
}

/** In a configuration file they may be real keys and values. */
export function parsedPairs() {
  const reason = "it must look like key=value,key=value";
  const pairs = z
    .string()
    .transform((text) => text.split(","))
    .pipe(z.array(z.string().regex(/^[^=]+=/)))
    .transform((list) => Object.fromEntries(list.map(toPair)));
  return z.union([z.record(z.string(), z.string()), pairs], reason);
}

function toPair(text: string): [string, string] {
  const at = text.indexOf("=");
  return [text.slice(0, at), text.slice(at + 1)];
}
