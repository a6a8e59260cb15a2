import { describeFileStoreContract } from "../../test/contracts/file-store.ts";
import { createMemoryFileStore } from "./memory.ts";

describeFileStoreContract("memory", async (now) => createMemoryFileStore(now && { now }));
