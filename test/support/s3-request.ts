import type { IncomingMessage } from "node:http";

/** One request that the server got, in the words of S3: `PutObject`, `GetObject`, `ListObjectsV2`, ... */
export interface S3Request {
  operation: string;
  /** Without the bucket. */
  key: string;
}

export function describeRequest({ method = "", url = "", headers }: IncomingMessage): S3Request {
  const { pathname, searchParams } = new URL(url, "http://s3");
  const [, , ...rest] = pathname.split("/");
  const key = decodeURIComponent(rest.join("/"));
  const inParts = searchParams.has("uploadId");
  const operations: Record<string, string> = {
    PUT: inParts ? "UploadPart" : "copy" in headers ? "CopyObject" : "PutObject",
    GET: searchParams.has("uploads") ? "ListMultipartUploads" : key === "" ? "ListObjectsV2" : "GetObject",
    POST: inParts ? "CompleteMultipartUpload" : key === "" ? "DeleteObjects" : "CreateMultipartUpload",
    DELETE: inParts ? "AbortMultipartUpload" : "DeleteObject",
    HEAD: "HeadObject",
  };
  return { operation: operations[method] ?? method, key: key || (searchParams.get("prefix") ?? "") };
}
