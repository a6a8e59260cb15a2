import { errnoOf, NerifError } from "../batch/errors.ts";

/** The two packages that are needed, which come with Nerif only when its user installs them. */
export interface S3Sdk {
  client: typeof import("@aws-sdk/client-s3");
  storage: typeof import("@aws-sdk/lib-storage");
}

/**
 * Loads the SDK at its first use: it takes a good part of a second, which nobody else should wait for.
 *
 * @param load for tests
 * @throws NerifError `invalid_configuration` when it is not installed
 */
export async function loadS3Sdk(load: () => Promise<S3Sdk> = importSdk): Promise<S3Sdk> {
  try {
    return await load();
  } catch (reason) {
    if (errnoOf(reason) !== "ERR_MODULE_NOT_FOUND") throw reason;
    throw new NerifError(
      "invalid_configuration",
      "Cannot use S3: its packages are missing; run npm install @aws-sdk/client-s3 @aws-sdk/lib-storage",
      { cause: reason },
    );
  }
}

async function importSdk(): Promise<S3Sdk> {
  const [client, storage] = await Promise.all([import("@aws-sdk/client-s3"), import("@aws-sdk/lib-storage")]);
  return { client, storage };
}
