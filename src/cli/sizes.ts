import { NerifError } from "../batch/errors.ts";

const units = {
  B: 1,
  kB: 1_000,
  MB: 1_000 ** 2,
  GB: 1_000 ** 3,
  KiB: 1_024,
  MiB: 1_024 ** 2,
  GiB: 1_024 ** 3,
} as const;

/**
 * Bytes of a size such as `10MiB`, `1.5 GB` or `4096`, rounded to whole ones. Units are told apart without regard
 * to case.
 *
 * @throws NerifError `invalid_value`
 */
export function parseSize(text: string): number {
  const [, digits, unit = "B"] = /^(\d{1,15}(?:\.\d{1,15})?)\s*([kmg]?i?b)?$/i.exec(text) ?? [];
  const factor = Object.entries(units).find(([name]) => name.toLowerCase() === unit.toLowerCase())?.[1];
  const bytes =
    digits === undefined || factor === undefined ? Number.NaN : Math.round(Number(digits) * factor);
  if (Number.isSafeInteger(bytes)) return bytes;
  throw new NerifError(
    "invalid_value",
    `Cannot read ${JSON.stringify(text.slice(0, 80))} as a size: it must be a number of bytes, or one with kB, MB, GB, KiB, MiB or GiB, such as 10MiB`,
  );
}

/** A size for people: `512 B`, `1.5 MiB`, `20 GiB`. */
export function formatSize(bytes: number): string {
  if (bytes < units.KiB) return `${bytes} B`;
  const [name, factor] =
    bytes < units.MiB ? ["KiB", units.KiB] : bytes < units.GiB ? ["MiB", units.MiB] : ["GiB", units.GiB];
  return `${Number((bytes / Number(factor)).toPrecision(3))} ${name}`;
}
