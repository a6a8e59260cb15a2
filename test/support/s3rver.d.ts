declare module "s3rver" {
  import type { RequestListener } from "node:http";

  interface StoredObject {
    bucket: string;
    key: string;
    content: AsyncIterable<Buffer>;
    metadata: Record<string, string>;
  }

  interface Written {
    size: number;
    md5: string;
  }

  interface FilesystemStore {
    getResourcePath(bucket: string, key: string | undefined, resource: string): string;
    putMetadata(bucket: string, key: string, metadata: Record<string, string>, md5: string): Promise<void>;
    putObject(object: StoredObject): Promise<Written>;
    putPart(bucket: string, uploadId: string, part: string, content: AsyncIterable<Buffer>): Promise<Written>;
    putObjectMultipart(bucket: string, uploadId: string, parts: unknown[]): Promise<Written>;
  }

  export default class S3rver {
    constructor(options: { directory: string; silent: boolean });
    readonly store: FilesystemStore;
    callback(): RequestListener;
  }
}
