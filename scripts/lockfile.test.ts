import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

interface LockedPackage {
  optionalDependencies?: Record<string, string>;
  peerDependenciesMeta?: Record<string, { optional?: boolean }>;
}

/** `npm install` leaves out what its registry could not show it at that moment; then `npm ci` fails for everyone. */
test("the lock file has an entry for every optional dependency, also those of other platforms", () => {
  const path = join(import.meta.dirname, "../package-lock.json");
  const packages: Record<string, LockedPackage> = JSON.parse(readFileSync(path, "utf8")).packages;
  const missing = Object.entries(packages).flatMap(([place, locked]) =>
    Object.keys(locked.optionalDependencies ?? {})
      .filter((name) => !locked.peerDependenciesMeta?.[name]?.optional)
      .filter((name) => !(`node_modules/${name}` in packages || `${place}/node_modules/${name}` in packages)),
  );
  expect(missing).toEqual([]);
});
