import { createHash, randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import S3rver from "s3rver";
import type { S3Request } from "./s3-request.ts";

export interface S3Backend {
  /** Its name; it is empty. */
  bucket: string;
  handle(request: IncomingMessage, response: ServerResponse, seen: S3Request): Promise<void>;
  openUploads(): Promise<string[]>;
  remove(): Promise<void>;
}

/**
 * s3rver, and what it lacks that Nerif needs: objects appear whole or not at all, uploads in parts can be listed and
 * given up and must exist, conditions and ranges of reads are kept as on AWS. It knows no conditional puts, on purpose.
 */
export async function createS3Backend(): Promise<S3Backend> {
  const bucket = "nerif-test";
  const directory = mkdtempSync(join(tmpdir(), "nerif-s3-"));
  mkdirSync(join(directory, bucket));
  const s3rver = new S3rver({ directory, silent: true });
  const { store } = s3rver;
  const uploads = store.getResourcePath(bucket, undefined, "uploads");

  store.putObject = async (object) => {
    const path = store.getResourcePath(object.bucket, object.key, "object");
    const written = await writeWhole(path, object.content);
    await store.putMetadata(object.bucket, object.key, object.metadata, written.md5);
    return written;
  };
  store.putPart = async (_, uploadId, part, content) => {
    const written = await writeWhole(join(uploads, uploadId, part), content);
    await writeFile(join(uploads, uploadId, `${part}.md5`), written.md5);
    return written;
  };
  const joinParts = store.putObjectMultipart.bind(store);
  store.putObjectMultipart = async (name, uploadId, parts) => {
    const key = await readFile(join(uploads, uploadId, "key"), "utf8");
    const { size, md5 } = await joinParts(name, uploadId, parts);
    // So does every real server tell that an object came in parts.
    const tag = `${md5}-${parts.length}`;
    await writeFile(store.getResourcePath(name, key, "object.md5"), tag);
    return { size, md5: tag };
  };
  const serve = s3rver.callback();

  return {
    bucket,
    async handle(request, response, { operation, key }) {
      const url = new URL(request.url ?? "", "http://s3");
      const uploadId = url.searchParams.get("uploadId");
      if (uploadId !== null && !(await openUploads()).includes(uploadId)) {
        request.resume();
        return send(response, 404, error("NoSuchUpload"));
      }
      if (operation === "AbortMultipartUpload") {
        await rm(join(uploads, uploadId ?? "none"), { recursive: true });
        return send(response, 204, "");
      }
      if (operation === "ListMultipartUploads") return send(response, 200, await uploadList());
      if (operation === "GetObject") {
        const path = store.getResourcePath(bucket, key, "object");
        const found = await stat(path).catch(() => null);
        if (found?.size === 0 && request.headers.range !== undefined)
          return send(response, 416, error("InvalidRange"));
        const wanted = request.headers["if-match"];
        if (found !== null && wanted !== undefined && wanted !== `"${await readFile(`${path}.md5`, "utf8")}"`)
          return send(response, 412, error("PreconditionFailed"));
      }
      serve(request, response);
    },
    openUploads,
    remove: () => rm(directory, { recursive: true, force: true }),
  };

  async function openUploads(): Promise<string[]> {
    return readdir(uploads).catch(() => []);
  }

  async function uploadList(): Promise<string> {
    const listed = (await openUploads()).map(async (id) => {
      const key = await readFile(join(uploads, id, "key"), "utf8");
      const begun = (await stat(join(uploads, id))).birthtime.toISOString();
      return `<Upload><Key>${key}</Key><UploadId>${id}</UploadId><Initiated>${begun}</Initiated></Upload>`;
    });
    return `<ListMultipartUploadsResult>${(await Promise.all(listed)).join("")}</ListMultipartUploadsResult>`;
  }
}

async function writeWhole(path: string, content: AsyncIterable<Buffer>) {
  const bytes = Buffer.concat(await Array.fromAsync(content));
  const temporary = `${path}.${randomUUID()}`;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(temporary, bytes);
  await rename(temporary, path);
  return { size: bytes.byteLength, md5: createHash("md5").update(bytes).digest("hex") };
}

function send(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { "content-type": "application/xml" }).end(body);
}

function error(code: string): string {
  return `<Error><Code>${code}</Code><Message>Refused</Message></Error>`;
}
