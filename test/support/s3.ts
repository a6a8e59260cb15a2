import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import { parseS3Options, type S3Options } from "../../src/compose-s3.ts";
import type { Bucket, BucketTuning } from "../../src/s3/bucket.ts";
import { openBucket } from "../../src/s3/open-bucket.ts";
import { createS3Backend } from "./s3-backend.ts";
import { createForwardingBackend } from "./s3-forward.ts";
import { describeRequest, type S3Request } from "./s3-request.ts";

/** What a test has the server do with a request: refuse it, lose it, carry it out and lose the answer, or say nothing. */
export type S3Fault = "refuse" | "forbid" | "lose" | "lose-answer" | "hang" | null;

export interface S3Server {
  options: S3Options;
  /** Every request so far, repeats included. */
  readonly requests: S3Request[];
  /** Asked for each request. Default: no faults. */
  fault: (request: S3Request) => S3Fault | Promise<S3Fault>;
  /** After how many bytes the answer to a read breaks off; null: not at all. */
  cutAfter: (request: S3Request) => number | null;
  /** Uploads in parts that were neither ended nor given up. */
  openUploads(): Promise<string[]>;
  /** Waits until `condition`, which is looked at after each request. */
  seen(condition: () => boolean): Promise<void>;
  open(tuning?: BucketTuning & { prefix?: string; bucket?: string }): Promise<Bucket>;
}

/** An S3 server for tests that is there already, such as `http://127.0.0.1:9000`, instead of the one of each test. */
const other = process.env.NERIF_TEST_S3_ENDPOINT;

/** An S3 server of its own for one test: s3rver, made stricter where real ones are. */
export async function startS3(): Promise<S3Server> {
  // The SDK's own chain looks there first.
  process.env.AWS_ACCESS_KEY_ID ??= "S3RVER";
  process.env.AWS_SECRET_ACCESS_KEY ??= "S3RVER";
  const backend = other === undefined ? await createS3Backend() : await createForwardingBackend(other);
  const { bucket } = backend;
  const requests: S3Request[] = [];
  const server = createServer((request, response) => {
    answer(request, response).catch((reason: unknown) => {
      response.destroy(reason instanceof Error ? reason : new Error(String(reason)));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const buckets: Bucket[] = [];
  onTestFinished(async () => {
    for (const one of buckets) one.close();
    server.closeAllConnections();
    server.close();
    await backend.remove();
  });
  const endpoint = `http://127.0.0.1:${port}`;
  const options = parseS3Options({ url: `s3://${bucket}/some/prefix`, endpoint }, {});

  const started: S3Server = {
    options,
    requests,
    fault: () => null,
    cutAfter: () => null,
    openUploads: backend.openUploads,
    async seen(condition) {
      while (!condition()) await once(server, "request");
    },
    async open({ prefix = options.prefix, bucket: name = bucket, ...tuning } = {}) {
      const opened = await openBucket({ ...options, bucket: name, prefix }, tuning);
      buckets.push(opened);
      return opened;
    },
  };
  return started;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const seen = describeRequest(request);
    requests.push(seen);
    const fault = await started.fault(seen);
    if (fault === "lose") return void request.destroy();
    if (fault === "hang") return;
    if (fault === "refuse") return refuse(response, 503, "SlowDown");
    if (fault === "forbid") return refuse(response, 403, "AccessDenied");
    if (fault === "lose-answer") {
      // What would be sent is dropped; the connection goes when the work is done.
      response.end = () => response.destroy();
      response.write = () => true;
    }
    const cut = seen.operation === "GetObject" ? started.cutAfter(seen) : null;
    if (cut !== null) breakOff(response, cut);
    await backend.handle(request, response, seen);
  }

  function refuse(response: ServerResponse, status: number, code: string): void {
    const text = `<Error><Code>${code}</Code><Message>Bucket ${bucket} says no</Message></Error>`;
    response.writeHead(status, { "content-type": "application/xml", connection: "close" }).end(text);
  }
}

function breakOff(response: ServerResponse, after: number): void {
  const write = response.write.bind(response);
  let sent = 0;
  response.write = (chunk: Buffer, ...rest: never[]) => {
    sent += chunk.byteLength;
    const goesOn = write(chunk, ...rest);
    if (sent >= after) response.destroy();
    return goesOn;
  };
}
