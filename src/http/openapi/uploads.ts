import { z } from "zod";
import type { UploadObject, UploadPartObject } from "../../batch/upload.ts";
import { uploadPurposes } from "../../service/file-params.ts";
import { completeParams, uploadParams } from "../../service/upload-params.ts";
import { fileSchema } from "./files.ts";
import type { Operation } from "./operation.ts";
import { count, named, objectOf, unixTime } from "./schemas.ts";

const uploadSchema = objectOf<UploadObject>("Upload", {
  id: z.string(),
  object: z.literal("upload"),
  bytes: count,
  created_at: unixTime,
  filename: z.string(),
  purpose: z.enum(uploadPurposes),
  status: z.enum(["pending", "completed", "cancelled", "expired"]),
  expires_at: unixTime,
  file: fileSchema.nullable(),
});

const uploadPart = objectOf<UploadPartObject>("UploadPart", {
  id: z.string(),
  object: z.literal("upload.part"),
  created_at: unixTime,
  upload_id: z.string(),
});

const createUpload = named("CreateUploadRequest", uploadParams);

const addPart = named("AddUploadPartRequest", z.strictObject({ data: z.file() }));

const completeUpload = named("CompleteUploadRequest", completeParams);

/** `/v1/uploads` */
export const uploadOperations: readonly Operation[] = [
  {
    id: "createUpload",
    tag: "Uploads",
    method: "post",
    path: "/v1/uploads",
    summary: "Begin an upload in parts",
    body: { schema: createUpload },
    idempotent: true,
    answers: { 200: uploadSchema },
    refusals: [400, 409, 413, 507],
  },
  {
    id: "addUploadPart",
    tag: "Uploads",
    method: "post",
    path: "/v1/uploads/{upload_id}/parts",
    summary: "Add a part",
    body: { type: "multipart/form-data", schema: addPart },
    answers: { 200: uploadPart },
    refusals: [400, 404, 413, 507],
  },
  {
    id: "completeUpload",
    tag: "Uploads",
    method: "post",
    path: "/v1/uploads/{upload_id}/complete",
    summary: "Make a file of the parts",
    body: { schema: completeUpload },
    answers: { 200: uploadSchema },
    refusals: [400, 404, 409, 413, 507],
  },
  {
    id: "cancelUpload",
    tag: "Uploads",
    method: "post",
    path: "/v1/uploads/{upload_id}/cancel",
    summary: "Cancel an upload",
    answers: { 200: uploadSchema },
    refusals: [400, 404, 409, 507],
  },
];
