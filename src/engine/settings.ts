import { maxDurationMs } from "../batch/duration.ts";
import { NerifError } from "../batch/errors.ts";
import { limits } from "../batch/limits.ts";

/** What an operator may set about execution. Durations are in milliseconds. */
export interface EngineSettings {
  /** Longest input line in bytes, at most 1 GiB. Default 10 MiB. */
  maxLineBytes: number;
  /** Attempts per line, 1 to 1,000. Default 5. What spends one is told in `retry.ts`. */
  maxAttempts: number;
  /** OpenAI's own refusals and limits: one endpoint, one model, 50,000 lines, 200 MiB. Default false. */
  strict: boolean;
  /** How long calls in flight may go on after a cancel. Default 30 s. */
  cancelGraceMs: number;
  /** Completion windows that are admitted beside `24h`, in seconds. Default none. */
  completionWindows: { min: number; max: number } | null;
}

export const defaultSettings: EngineSettings = {
  maxLineBytes: limits.lineBytes,
  maxAttempts: 5,
  strict: false,
  cancelGraceMs: 30_000,
  completionWindows: null,
};

/** Settings of which some may be left out, or undefined, which is the same: the default holds. */
export type GivenSettings = { [Name in keyof EngineSettings]?: EngineSettings[Name] | undefined };

/**
 * Fills in the defaults. Without bounds a line could be tried for ever, or be as long as memory.
 *
 * @throws NerifError `invalid_configuration` naming the setting, its value and what it may be
 */
export function completeSettings(given: GivenSettings = {}): EngineSettings {
  return {
    maxLineBytes: whole("maxLineBytes", given.maxLineBytes, limits.settings.lineBytes),
    maxAttempts: whole("maxAttempts", given.maxAttempts, limits.settings.attempts),
    strict: checked("strict", given.strict, (value) => typeof value === "boolean", "true or false"),
    cancelGraceMs: whole("cancelGraceMs", given.cancelGraceMs, { min: 0, max: maxDurationMs }),
    completionWindows: checked("completionWindows", given.completionWindows, isWindows, windowsMust),
  };
}

interface Range {
  min: number;
  max: number;
}

function whole(
  name: "maxLineBytes" | "maxAttempts" | "cancelGraceMs",
  value: number | undefined,
  range: Range,
): number {
  const must = `a whole number from ${range.min} to ${range.max}`;
  return checked(name, value, (given) => isWhole(given, range), must);
}

function isWhole(value: unknown, { min, max }: Range): boolean {
  return Number.isInteger(value) && Number(value) >= min && Number(value) <= max;
}

const windowSeconds = { min: 1, max: maxDurationMs / 1_000 };
const windowsMust = `null or two whole numbers of seconds from 1 to ${windowSeconds.max}, the first not above the second`;

function isWindows(value: EngineSettings["completionWindows"]): boolean {
  if (value === null) return true;
  return isWhole(value.min, windowSeconds) && isWhole(value.max, windowSeconds) && value.min <= value.max;
}

function checked<Name extends keyof EngineSettings>(
  name: Name,
  value: EngineSettings[Name] | undefined,
  isRight: (value: EngineSettings[Name]) => boolean,
  must: string,
): EngineSettings[Name] {
  if (value === undefined) return defaultSettings[name];
  if (isRight(value)) return value;
  const shown = typeof value === "number" ? String(value) : JSON.stringify(value);
  throw new NerifError(
    "invalid_configuration",
    `Cannot use settings.${name}: it is ${shown} and must be ${must}`,
    { param: `settings.${name}` },
  );
}
