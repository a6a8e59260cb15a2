// Whoever installs the package decides whether it needs S3. The image has what S3 needs, in the versions that are
// locked for the tests.
import { readFileSync, writeFileSync } from "node:fs";

const {
  peerDependencies,
  peerDependenciesMeta: _,
  ...own
} = JSON.parse(readFileSync("package.json", "utf8"));
for (const name of Object.keys(peerDependencies)) {
  own.dependencies[name] = own.devDependencies[name];
  delete own.devDependencies[name];
}
writeFileSync("package.json", JSON.stringify(own, null, 2));
