import type { z } from "zod";
import type { ErrorStatus } from "../error-table.ts";

/** One route as the document shows it. */
export interface Operation {
  /** `operationId`, after which generated clients name their functions. */
  id: string;
  tag: "Files" | "Uploads" | "Batches" | "Webhooks" | "Server";
  method: "get" | "post" | "delete";
  /** With the names of its parameters in braces. */
  path: string;
  summary: string;
  /** The schema that checks the query. */
  query?: z.ZodObject;
  /** The schema that checks the body. */
  body?: RequestBody;
  /** Whether an `Idempotency-Key` is honoured. Default false. */
  idempotent?: boolean;
  /** What is answered, by status, when the request is not refused. */
  answers: Readonly<Record<number, Answer>>;
  /** Statuses of refusals of its own, beside those that every route may answer. */
  refusals: readonly ErrorStatus[];
}

export interface RequestBody {
  /** Default `application/json`. */
  type?: "multipart/form-data";
  schema: z.ZodType;
  /** Default true. */
  required?: boolean;
}

/** JSON of a schema, or a body of another type; null: none. */
export type Answer = z.ZodType | { type: string; summary: string } | null;
