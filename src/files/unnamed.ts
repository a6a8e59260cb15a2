/** A writer of which nothing came for so long has lost its process; bytes that nobody named by then never will be. */
export const abandonedMs = 60 * 60_000;

const askedAtOnce = 500;

/** Those of `keys` that `named` does not return. */
export async function* unnamedOf(
  keys: readonly string[],
  named: (keys: readonly string[]) => Promise<Iterable<string>>,
): AsyncGenerator<string> {
  for (let from = 0; from < keys.length; from += askedAtOnce) {
    const some = keys.slice(from, from + askedAtOnce);
    const known = new Set(await named(some));
    for (const key of some) if (!known.has(key)) yield key;
  }
}
