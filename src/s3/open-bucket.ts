import { randomUUID } from "node:crypto";
import type { Readable } from "node:stream";
import { NerifError } from "../batch/errors.ts";
import type { BucketTuning, Bucket as ObjectBucket, ObjectRange, OpenedObject } from "./bucket.ts";
import { codeOf, s3Error, statusOf } from "./errors.ts";
import type { S3Options } from "./options.ts";
import { createPartShares, withShare } from "./part-shares.ts";
import { loadS3Sdk, type S3Sdk } from "./sdk.ts";

const mebibyte = 1024 * 1024;
const partsAtOnce = 3;
const keysAtOnce = 1_000;
/** An answer that broke off is asked for again, from where it broke off, so many times without a byte of progress. */
const maxResumes = 3;
/** Marks what a writer wrote, so that one that lost the answer can see whether its object is there. */
const mark = "nerif-write";

/** Connects to nothing yet; keys and bucket are looked at by the first call. */
export async function openBucket(options: S3Options, tuning: BucketTuning = {}): Promise<ObjectBucket> {
  const { client: s3, storage } = await loadS3Sdk();
  const client = createClient(s3, options, tuning);
  const underWay = new Set<(reason: NerifError) => void>();
  let closed = false;
  // Within what repeats requests: a refusal of ours is not repeated.
  client.middlewareStack.add((next) => (args) => untilClosed(() => next(args)), {
    step: "finalizeRequest",
    priority: "low",
    name: "nerifUntilClosed",
  });
  const { bucket: Bucket, prefix } = options;
  const { partBytes = 8 * mebibyte, mostParts = 10_000, sharedBytes = 128 * mebibyte } = tuning;
  const shares = createPartShares(Math.floor(sharedBytes / partBytes));

  return {
    mostUploadBytes: mostParts * partBytes,

    async put(key, body, action) {
      await guarded(action, () =>
        client.send(new s3.PutObjectCommand({ Bucket, Key: prefix + key, Body: body })),
      );
    },

    async upload(key, body, { action, waits = false }) {
      const written = randomUUID();
      const Key = prefix + key;
      const share = shares.open();
      const Body = waits ? withShare(body, { share, partBytes }) : body;
      const upload = new storage.Upload({
        client,
        params: { Bucket, Key, Body, Metadata: { [mark]: written } },
        partSize: partBytes,
        queueSize: partsAtOnce,
      });
      // Told of each part that has arrived.
      upload.on("httpUploadProgress", share.give);
      // One that waits for room, or for its client, has no request that would be refused.
      const breakOff = (reason: NerifError) => {
        body.destroy(reason);
        share.stop(reason);
      };
      underWay.add(breakOff);
      await guarded(action, async () => {
        try {
          await upload.done();
        } catch (reason) {
          // An end that was carried out and whose answer was lost cannot be repeated: the upload is gone by then.
          if (!body.readableEnded || !(await isWritten(Key, written))) throw reason;
        } finally {
          share.end();
          underWay.delete(breakOff);
        }
      });
    },

    async first(key, length, action) {
      const { bytes, etag, chunks } = await guarded(action, () =>
        open(key, { start: 0, end: length }, action),
      );
      return { bytes, etag, head: Buffer.concat(await Array.fromAsync(chunks)) };
    },

    open: (key, range, action) => guarded(action, () => open(key, range, action)),

    read,

    async *list(keyPrefix, action) {
      for await (const page of pages(keyPrefix, { action })) {
        for (const { Key = "", Size = 0, LastModified, ETag = "" } of page.Contents ?? []) {
          const modifiedAt = LastModified?.getTime() ?? Number.POSITIVE_INFINITY;
          yield { key: Key.slice(prefix.length), bytes: Size, modifiedAt, cameInParts: ETag.includes("-") };
        }
      }
    },

    async size(key, action) {
      // Not a HEAD, whose answer is the same for a bucket that is not there.
      const command = new s3.ListObjectsV2Command({ Bucket, Prefix: prefix + key, MaxKeys: 1 });
      const { Contents = [] } = await guarded(action, () => client.send(command));
      return Contents[0]?.Key === prefix + key ? (Contents[0].Size ?? 0) : null;
    },

    async *folders(keyPrefix, action) {
      for await (const page of pages(keyPrefix, { action, Delimiter: "/" })) {
        for (const { Prefix = "" } of page.CommonPrefixes ?? [])
          yield Prefix.slice(prefix.length + keyPrefix.length, -1);
      }
    },

    async remove(keys, action) {
      for (let from = 0; from < keys.length; from += keysAtOnce) {
        const Objects = keys.slice(from, from + keysAtOnce).map((key) => ({ Key: prefix + key }));
        const command = new s3.DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } });
        const { Errors = [] } = await guarded(action, () => client.send(command));
        const [refused] = Errors.filter(({ Code }) => Code !== "NoSuchKey");
        if (refused !== undefined) throw s3Error(Object.assign(new Error(), { name: refused.Code }), action);
      }
    },

    async abortUploads(keyPrefix, before, action) {
      const command = new s3.ListMultipartUploadsCommand({ Bucket, Prefix: prefix + keyPrefix });
      const { Uploads = [] } = await client.send(command).catch((reason: unknown) => {
        // Where they cannot be listed, the bucket's own rules remove them.
        if (codeOf(reason) === "NotImplemented") return { Uploads: [] };
        throw s3Error(reason, action);
      });
      for (const { Key, UploadId, Initiated } of Uploads) {
        if ((Initiated?.getTime() ?? before) >= before) continue;
        const abort = new s3.AbortMultipartUploadCommand({ Bucket, Key, UploadId });
        await client.send(abort).catch((reason: unknown) => {
          // One that has ended meanwhile is not there any more.
          if (codeOf(reason) !== "NoSuchUpload") throw s3Error(reason, action);
        });
      }
    },

    close() {
      closed = true;
      for (const refuse of underWay) refuse(closedError());
      client.destroy();
    },
  };

  function untilClosed<T>(request: () => Promise<T>): Promise<T> {
    if (closed) return Promise.reject(closedError());
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    underWay.add(reject);
    request()
      .then(resolve, reject)
      .finally(() => underWay.delete(reject));
    return promise;
  }

  async function* pages(keyPrefix: string, { action, ...more }: { action: string; Delimiter?: string }) {
    try {
      yield* s3.paginateListObjectsV2({ client }, { Bucket, Prefix: prefix + keyPrefix, ...more });
    } catch (reason) {
      throw s3Error(reason, action);
    }
  }

  async function open(key: string, range: ObjectRange, action: string): Promise<OpenedObject> {
    const { start, end } = range;
    const Key = prefix + key;
    try {
      const Range = `bytes=${start}-${Number.isFinite(end) ? end - 1 : ""}`;
      const answer = await client.send(new s3.GetObjectCommand({ Bucket, Key, Range }));
      const { ContentRange, ContentLength, ETag: etag = "", Body } = answer;
      const bytes = Number(ContentRange?.split("/")[1] ?? ContentLength);
      const wanted = { start, end: Math.min(end, bytes), etag };
      return { bytes, etag, chunks: goingOn(bodyOf(Body), { key, ...wanted, action }) };
    } catch (reason) {
      if (statusOf(reason) !== 416) throw reason;
      // No range fits into an empty object.
      const { ETag = "", ContentLength } = await client.send(new s3.HeadObjectCommand({ Bucket, Key }));
      return { bytes: ContentLength ?? 0, etag: ETag, chunks: nothing() };
    }
  }

  async function* goingOn(
    body: AsyncIterable<Buffer>,
    { key, start, end, etag, action }: ObjectRange & { key: string; action: string },
  ): AsyncGenerator<Buffer> {
    let at = start;
    try {
      for await (const chunk of body) {
        at += chunk.byteLength;
        yield chunk;
      }
    } catch {
      // What did not come is asked for again.
    }
    yield* read(key, { start: at, end, ...(etag === undefined ? {} : { etag }) }, action);
  }

  async function* read(
    key: string,
    { start, end, etag }: ObjectRange,
    action: string,
  ): AsyncGenerator<Buffer> {
    const condition = etag === undefined ? {} : { IfMatch: etag };
    let resumes = 0;
    for (let at = start; at < end; ) {
      try {
        const range = { Range: `bytes=${at}-${end - 1}`, ...condition };
        const answer = await client.send(new s3.GetObjectCommand({ Bucket, Key: prefix + key, ...range }));
        const body = bodyOf(answer.Body);
        if (etag !== undefined && answer.ETag !== etag) {
          // Some servers do not look at the condition.
          body.destroy();
          throw changed(action);
        }
        for await (const chunk of body) {
          at += chunk.byteLength;
          resumes = 0;
          yield chunk;
        }
        if (at < end) throw new Error("The answer ended early");
      } catch (reason) {
        if (codeOf(reason) === "PreconditionFailed") throw changed(action);
        resumes += 1;
        if (statusOf(reason) !== null || reason instanceof NerifError || resumes > maxResumes) {
          throw s3Error(reason, action);
        }
      }
    }
  }

  async function isWritten(Key: string, written: string): Promise<boolean> {
    try {
      const { Metadata } = await client.send(new s3.HeadObjectCommand({ Bucket, Key }));
      return Metadata?.[mark] === written;
    } catch {
      // Whatever is wrong: the upload's own failure is the one to be told.
      return false;
    }
  }
}

function createClient(s3: S3Sdk["client"], options: S3Options, tuning: BucketTuning) {
  const { endpoint, region, pathStyle } = options;
  const { connect, idle } = tuning.timeouts ?? { connect: 5_000, idle: 60_000 };
  return new s3.S3Client({
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    forcePathStyle: pathStyle,
    maxAttempts: tuning.maxAttempts ?? 4,
    requestHandler: {
      connectionTimeout: connect,
      socketTimeout: idle,
      // The SDK's own agents have 50 sockets, and a download keeps one for as long as its client likes: what else is
      // asked would wait for a free one, and pass for a store that does not answer. Each socket here has a caller
      // whose number is bounded elsewhere: connections of clients, batches, parts under way.
      httpAgent: { maxSockets: Number.POSITIVE_INFINITY },
      httpsAgent: { maxSockets: Number.POSITIVE_INFINITY },
    },
  });
}

async function guarded<T>(action: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (reason) {
    throw s3Error(reason, action);
  }
}

async function* nothing(): AsyncGenerator<Buffer> {}

/** On Node the body is a stream of buffers. */
function bodyOf(body: unknown): Readable {
  return body as Readable;
}

function closedError(): NerifError {
  return new NerifError("shutting_down", "Cannot use the object store: this process is about to end");
}

function changed(action: string): NerifError {
  return new NerifError("storage_unavailable", `Cannot ${action}: it was replaced while it was read`);
}
