import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type RolldownOutput, rolldown } from "rolldown";

const root = join(import.meta.dirname, "..");

/** What the published command is made of, as paths in this repository. */
export const commandSources = ["src", "bin", "scripts/bundle.ts", "package-lock.json"];

/** Loaded from their own packages: what not every user has or needs, and what the command looks up at run time. */
const external = ["pg", "@aws-sdk/client-s3", "@aws-sdk/lib-storage", "yaml"];

/**
 * Puts the command and the packages that it is made of into a few files of `directory`: Node loads those in less
 * than half the time of the thousand that they come from. @see decisions/022-start.md
 */
export async function bundleCommand(directory: string): Promise<void> {
  const bundle = await rolldown({
    input: join(root, "src/cli.ts"),
    platform: "node",
    external,
    tsconfig: false,
    // The oldest Node that the package runs on.
    transform: { target: "node22.19" },
  });
  const output = await bundle.write({ dir: directory, format: "esm", chunkFileNames: "[name]-[hash].js" });
  await bundle.close();
  writeFileSync(join(directory, "LICENSES.txt"), licensesOf(output));
}

/**
 * Lays the command out as an installed package has it, beside the packages of this checkout.
 *
 * @returns the path of the script that starts it
 */
export async function installCommand(directory: string): Promise<string> {
  mkdirSync(directory, { recursive: true });
  for (const part of ["bin", "package.json"]) {
    cpSync(join(root, part), join(directory, part), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(directory, "node_modules"), "dir");
  await bundleCommand(join(directory, "dist/command"));
  return join(directory, "bin/nerif.js");
}

/** What the licenses of the packages inside want to have beside every copy; some helpers are the bundler's. */
function licensesOf({ output }: RolldownOutput): string {
  const modules = output.flatMap((chunk) => (chunk.type === "chunk" ? chunk.moduleIds : []));
  const places = modules.flatMap(packageDirectories);
  places.push(join(root, "node_modules/rolldown"));
  return [...new Set(places)].toSorted().flatMap(licensesIn).join("\n\n");
}

/** The directories of a module up to that of its package: what a package has from others may have a license there. */
function packageDirectories(module: string): string[] {
  const [place] = /^.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+/.exec(module) ?? [];
  const directories: string[] = [];
  if (place === undefined) return directories;
  for (let at = dirname(module); at.length >= place.length; at = dirname(at)) directories.push(at);
  return directories;
}

/** The license of a package without a text is what it names. */
function licensesIn(directory: string): string[] {
  const entries = readdirSync(directory);
  const texts = entries.filter((entry) => /^(licen[cs]e|notice)/i.test(entry));
  const written = texts.map((entry) => readFileSync(join(directory, entry), "utf8").trim());
  const from = directory.replace(/^.*[\\/]node_modules[\\/]/, "").replaceAll("\\", "/");
  const manifest = entries.includes("package.json")
    ? JSON.parse(readFileSync(join(directory, "package.json"), "utf8"))
    : {};
  // Below a package others only say how Node is to read what lies there.
  if (manifest.version === undefined) return written.map((text) => `${from}\n\n${text}`);
  if (written.length === 0) written.push(manifest.license);
  if (!written.every((text) => typeof text === "string" && text !== "")) {
    throw new Error(`Cannot bundle ${from} ${manifest.version}: it names no license`);
  }
  return [[`${from} ${manifest.version}`, ...written].join("\n\n")];
}

if (import.meta.main) await bundleCommand(join(root, "dist/command"));
