import * as sdk from "openai6";
import { VERSION } from "openai6/version";
import { createNodeDriver, type NodeSdk } from "./sdk/node.ts";
import { contractSuite } from "./suite.ts";

// Typed as the newest: rows that need what this one lacks are left out.
contractSuite("node-previous", async () => createNodeDriver(sdk as unknown as NodeSdk, VERSION));
