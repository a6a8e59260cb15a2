import * as sdk from "openai";
import { VERSION } from "openai/version";
import { createNodeDriver } from "./sdk/node.ts";
import { contractSuite } from "./suite.ts";

contractSuite("node", async () => createNodeDriver(sdk, VERSION));
