import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestProject } from "vitest/node";
import { openPostgresControlStore } from "../../src/control/postgres.ts";
import { startPostgres, withoutPostgres } from "../support/postgres.ts";
import { createS3Backend } from "../support/s3-backend.ts";
import { describeRequest } from "../support/s3-request.ts";
import type { TestCluster } from "../support/storage.ts";

declare module "vitest" {
  interface ProvidedContext {
    cluster: TestCluster;
  }
}

/** Starts one PostgreSQL and one S3 server for all tests of a project. @returns what ends them */
export default async function startTestCluster(project: TestProject): Promise<() => Promise<void>> {
  if (withoutPostgres !== null) throw new Error(`Cannot test on PostgreSQL and S3 (${withoutPostgres})`);
  const postgres = await startPostgres();
  // Making tables takes longer than most tests.
  const template = await postgres.createDatabase();
  await (await openPostgresControlStore({ url: template })).close();
  const backend = await createS3Backend();
  const server = createServer((request, response) => {
    backend.handle(request, response, describeRequest(request)).catch((reason: unknown) => {
      response.destroy(reason instanceof Error ? reason : new Error(String(reason)));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  project.provide("cluster", {
    postgres: postgres.url,
    template: template.split("/").at(-1) ?? "",
    bucket: backend.bucket,
    s3Endpoint: `http://127.0.0.1:${port}`,
  });
  return async () => {
    server.closeAllConnections();
    server.close();
    await Promise.all([backend.remove(), postgres.remove()]);
  };
}
