// Which packages the image is made with, in the versions that are locked for the tests: those that compile it, those that
// it runs with, and what S3 needs, of which whoever installs the package decides himself.
import { readFileSync, writeFileSync } from "node:fs";

const { devDependencies, peerDependencies, peerDependenciesMeta: _, ...own } = read();
const compiles = ([name]) => ["typescript", "rolldown"].includes(name) || name.startsWith("@types/");
const optional = Object.keys(peerDependencies).map((name) => [name, devDependencies[name]]);

Object.assign(own.dependencies, Object.fromEntries(optional));
own.devDependencies = Object.fromEntries(Object.entries(devDependencies).filter(compiles));
writeFileSync("package.json", JSON.stringify(own, null, 2));

function read() {
  return JSON.parse(readFileSync("package.json", "utf8"));
}
