const partLines = 65_536;

/** Where something of a line stands in a file, at 8 bytes for each line in the stretches that have any. */
export interface Offsets {
  set(line: number, offset: number): void;
  get(line: number): number;
}

/** Part by part, so that growing never copies what is there. */
export function createOffsets(): Offsets {
  const parts: Float64Array[] = [];
  return {
    set(line, offset) {
      const part = Math.floor(line / partLines);
      parts[part] ??= new Float64Array(partLines);
      (parts[part] as Float64Array)[line % partLines] = offset;
    },
    get: (line) => parts[Math.floor(line / partLines)]?.[line % partLines] ?? 0,
  };
}
