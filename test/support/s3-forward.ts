import { randomUUID } from "node:crypto";
import { request as ask, type IncomingMessage, type ServerResponse } from "node:http";
import { CreateBucketCommand, ListMultipartUploadsCommand, S3Client } from "@aws-sdk/client-s3";
import type { S3Backend } from "./s3-backend.ts";

/**
 * Any other S3 server (moto, MinIO) in the place of s3rver, with a new bucket in it. Every request goes on as it is, so
 * that its signature holds.
 */
export async function createForwardingBackend(endpoint: string): Promise<S3Backend> {
  const bucket = `nerif-${randomUUID()}`;
  const client = new S3Client({ endpoint, region: "us-east-1", forcePathStyle: true });
  await client.send(new CreateBucketCommand({ Bucket: bucket }));

  return {
    bucket,
    handle,
    async openUploads() {
      const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
      return Uploads.map(({ UploadId = "" }) => UploadId);
    },
    async remove() {
      client.destroy();
    },
  };

  async function handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { hostname, port } = new URL(endpoint);
    const { method, url, headers } = incoming;
    const onward = ask({ hostname, port, method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", (reason) => response.destroy(reason));
    incoming.pipe(onward);
  }
}
