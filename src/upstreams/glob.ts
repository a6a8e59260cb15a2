/**
 * Whether a model goes to an upstream: one of its globs fits. `*` stands for any characters, slashes included
 * (`meta-llama/*`), `?` for one; everything else for itself, case included. A line without a model fits `*` only.
 *
 * @param globs null: every model fits
 */
export function createModelMatcher(
  globs: readonly string[] | null | undefined,
): (model: string | null) => boolean {
  if (globs === null || globs === undefined) return () => true;
  const pattern = new RegExp(`^(?:${globs.map(source).join("|")})$`, "su");
  // Of no globs at all nothing fits, not even the empty name.
  return (model) => globs.length > 0 && pattern.test(model ?? "");
}

function source(glob: string): string {
  return glob
    .replace(/\*+/g, "*")
    .replace(/[.+^${}()|[\]\\/]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
}
