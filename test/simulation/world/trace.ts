/** What happened, as a number that tells two runs apart, and in words where someone wants to read them. */
export interface Trace {
  note(text: string): void;
  /** Of all notes with their times. */
  readonly hash: number;
  readonly notes: number;
  /** The last notes, when they were kept. */
  readonly lines: string[];
}

/** @param scene the time, and the number of the life whose code is running */
export function createTrace(
  scene: () => { now: number; life: number | null },
  { keepTrace }: { keepTrace: boolean },
): Trace {
  let hash = 0x811c9dc5;
  let notes = 0;
  const lines: string[] = [];
  const time = new Float64Array(1);
  const words = new Uint32Array(time.buffer);

  function add(value: number): void {
    hash = Math.imul(hash ^ value, 0x01000193) >>> 0;
    hash = (hash ^ (hash >>> 15)) >>> 0;
  }

  return {
    note(text) {
      notes += 1;
      const { now, life } = scene();
      time[0] = now;
      add(words[0] ?? 0);
      add(words[1] ?? 0);
      for (let i = 0; i < text.length; i++) add(text.charCodeAt(i));
      if (keepTrace) lines.push(`${now.toFixed(3).padStart(12)} ${String(life ?? "-").padStart(3)} ${text}`);
    },
    get hash() {
      return hash;
    },
    get notes() {
      return notes;
    },
    lines,
  };
}
