import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { openS3Storage, parseS3Options } from "../../../src/compose-s3.ts";
import { type Gate, startGate } from "./gate.ts";
import { type S3, startS3 } from "./s3.ts";

/** Where a cluster keeps its files. */
export interface Place extends AsyncDisposable {
  /** Between the processes and the files, where that can be cut. */
  gate: Gate | null;
  /** A place that is empty. @param name of the round, which works in `directory` */
  forRound(name: string, directory: string): RoundPlace;
}

export interface RoundPlace {
  env: Record<string, string>;
  /** Batches of which there is a journal. */
  journals(): Promise<string[]>;
}

export const directoryPlace: Place = {
  gate: null,
  forRound(_name, directory) {
    const shared = join(directory, "shared");
    const journal = join(shared, "journal");
    return {
      env: { NERIF_SHARED_DIR: shared },
      journals: async () => (existsSync(journal) ? readdirSync(journal) : []),
    };
  },
  async [Symbol.asyncDispose]() {},
};

export async function openS3Place(): Promise<Place> {
  const s3: S3 = await startS3();
  const gate = await startGate(s3.port);
  return {
    gate,
    forRound(name) {
      const url = `s3://${s3.bucket}/${name}`;
      const endpoint = `http://127.0.0.1:${gate.port}`;
      return {
        env: {
          ...{ NERIF_S3_BUCKET: url, NERIF_S3_ENDPOINT: endpoint },
          ...{ AWS_ACCESS_KEY_ID: "S3RVER", AWS_SECRET_ACCESS_KEY: "S3RVER" },
        },
        async journals() {
          const storage = await openS3Storage(parseS3Options({ url, endpoint }, {}));
          try {
            return await storage.journal.batches();
          } finally {
            storage.close();
          }
        },
      };
    },
    async [Symbol.asyncDispose]() {
      await gate[Symbol.asyncDispose]();
      await s3[Symbol.asyncDispose]();
    },
  };
}
