import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createS3Backend } from "../../support/s3-backend.ts";
import { describeRequest } from "../../support/s3-request.ts";

/** An S3 server in this process, which no fault of a round ends. */
export interface S3 extends AsyncDisposable {
  bucket: string;
  port: number;
}

export async function startS3(): Promise<S3> {
  // The SDK's own chain looks there first.
  process.env.AWS_ACCESS_KEY_ID ??= "S3RVER";
  process.env.AWS_SECRET_ACCESS_KEY ??= "S3RVER";
  const backend = await createS3Backend();
  const server = createServer((request, response) => {
    // The other side may have gone in the midst of it.
    for (const side of [request, response]) side.on("error", () => {});
    backend.handle(request, response, describeRequest(request)).catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    bucket: backend.bucket,
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await backend.remove();
    },
  };
}
