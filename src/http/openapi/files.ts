import { z } from "zod";
import type { FileObject } from "../../batch/file.ts";
import { fileListParams } from "../../service/file-list-params.ts";
import { fileFields, uploadPurposes } from "../../service/file-params.ts";
import type { Operation } from "./operation.ts";
import { count, listOf, named, objectOf, unixTime } from "./schemas.ts";

export const fileSchema = objectOf<FileObject>("File", {
  id: z.string(),
  object: z.literal("file"),
  bytes: count,
  created_at: unixTime,
  expires_at: unixTime.nullable(),
  filename: z.string(),
  purpose: z.enum([...uploadPurposes, "batch_output"]),
  status: z.literal("processed"),
  status_details: z.null(),
});

const fileList = listOf("FileList", fileSchema);

const deletedFile = objectOf<{ id: string; object: "file"; deleted: true }>("DeletedFile", {
  id: z.string(),
  object: z.literal("file"),
  deleted: z.literal(true),
});

const fileForm = named(
  "CreateFileRequest",
  z.strictObject({
    file: z.file().describe("With a file name; the one of a batch input ends with `.jsonl`."),
    purpose: fileFields.purpose,
    expires_after: fileFields.expires_after.describe(
      "As the fields `expires_after[anchor]` and `expires_after[seconds]`.",
    ),
  }),
);

const bytes = { type: "application/octet-stream", summary: "The bytes of the file." };

/** `/v1/files` */
export const fileOperations: readonly Operation[] = [
  {
    id: "createFile",
    tag: "Files",
    method: "post",
    path: "/v1/files",
    summary: "Upload a file",
    body: { type: "multipart/form-data", schema: fileForm },
    idempotent: true,
    answers: { 200: fileSchema },
    refusals: [400, 409, 413, 507],
  },
  {
    id: "listFiles",
    tag: "Files",
    method: "get",
    path: "/v1/files",
    summary: "List files",
    query: fileListParams,
    answers: { 200: fileList },
    refusals: [400, 404],
  },
  {
    id: "retrieveFile",
    tag: "Files",
    method: "get",
    path: "/v1/files/{file_id}",
    summary: "Look at a file",
    answers: { 200: fileSchema },
    refusals: [404],
  },
  {
    id: "deleteFile",
    tag: "Files",
    method: "delete",
    path: "/v1/files/{file_id}",
    summary: "Delete a file that no running batch reads",
    answers: { 200: deletedFile },
    refusals: [404, 409, 507],
  },
  {
    id: "downloadFile",
    tag: "Files",
    method: "get",
    path: "/v1/files/{file_id}/content",
    summary: "Download a file, or with `Range` a part of it",
    answers: { 200: bytes, 206: { ...bytes, summary: "The bytes that `Range` names." }, 304: null },
    refusals: [400, 404, 412, 416],
  },
];
