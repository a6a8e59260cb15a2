import { expect, test } from "vitest";
import { loadS3Sdk } from "./sdk.ts";

test("missing packages are refused with the command that installs them", async () => {
  const missing = () => Promise.reject(Object.assign(new Error("no"), { code: "ERR_MODULE_NOT_FOUND" }));
  await expect(loadS3Sdk(missing)).rejects.toMatchObject({
    code: "invalid_configuration",
    message: expect.stringMatching(/npm install @aws-sdk\/client-s3 @aws-sdk\/lib-storage/),
  });
});
