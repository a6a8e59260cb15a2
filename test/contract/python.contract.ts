import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { pythonEnvironment } from "../support/python-environment.ts";
import { createPythonDriver } from "./sdk/python.ts";
import { contractSuite } from "./suite.ts";

const requirements = fileURLToPath(new URL("requirements.txt", import.meta.url));

contractSuite("python", async () => {
  const bin = await pythonEnvironment("nerif-python", requirements);
  return createPythonDriver(join(bin, "python"));
});
