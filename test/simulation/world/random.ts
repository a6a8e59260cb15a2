/** Numbers that follow from a seed and nothing else. */
export interface Random {
  /** In [0, 1). */
  next(): number;
  /** A whole number from `min` to `max`, both included. */
  int(min: number, max: number): number;
  chance(probability: number): boolean;
  pick<T>(items: readonly T[]): T;
  bytes(size: number): Buffer;
}

/** sfc32, begun with what splitmix32 makes of the seed. */
export function createRandom(seed: number): Random {
  let mixed = seed | 0;
  let [a, b, c, counter] = [mix(), mix(), mix(), 1];
  for (let i = 0; i < 12; i++) draw();

  function mix(): number {
    mixed = (mixed + 0x9e3779b9) | 0;
    let t = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
    t = Math.imul(t ^ (t >>> 15), 0x735a2d97);
    return t ^ (t >>> 15);
  }

  function draw(): number {
    const t = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + t) | 0;
    return t >>> 0;
  }

  const next = () => draw() / 4_294_967_296;
  const int = (min: number, max: number) => min + Math.floor(next() * (max - min + 1));

  return {
    next,
    int,
    chance: (probability) => next() < probability,
    pick<T>(items: readonly T[]): T {
      if (items.length === 0) throw new Error("Cannot pick one of nothing");
      return items[int(0, items.length - 1)] as T;
    },
    bytes(size) {
      const bytes = Buffer.allocUnsafe(size);
      for (let i = 0; i < size; i++) bytes[i] = draw() >>> 24;
      return bytes;
    },
  };
}
