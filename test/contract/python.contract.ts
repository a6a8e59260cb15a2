import { createPythonDriver } from "./sdk/python.ts";
import { pythonEnvironment } from "./sdk/python-environment.ts";
import { contractSuite } from "./suite.ts";

contractSuite("python", async () => createPythonDriver(await pythonEnvironment()));
