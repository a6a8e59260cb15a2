import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type RolldownOutput, rolldown } from "rolldown";

const root = join(import.meta.dirname, "..");

/** Loaded from their own packages: what not every user has or needs, and what the command looks up at run time. */
const external = ["pg", "@aws-sdk/client-s3", "@aws-sdk/lib-storage", "yaml"];

/**
 * Puts the command and the packages that it is made of into a few files of `directory`: Node loads those several times
 * faster than the thousand that they come from. @see decisions/022-start.md
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

/** What the licenses of the packages inside want to have beside every copy. */
function licensesOf({ output }: RolldownOutput): string {
  const modules = output.flatMap((chunk) => (chunk.type === "chunk" ? chunk.moduleIds : []));
  const places = modules.flatMap((id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)?.[0] ?? []);
  return [...new Set(places)].toSorted().map(licenseOf).join("\n\n");
}

function licenseOf(place: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(place, "package.json"), "utf8"));
  const file = readdirSync(place).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file === undefined ? license : readFileSync(join(place, file), "utf8").trim();
  if (typeof text !== "string") throw new Error(`Cannot bundle ${name}: it names no license`);
  return `${name} ${version}\n\n${text}`;
}

if (import.meta.main) await bundleCommand(join(root, "dist/command"));
