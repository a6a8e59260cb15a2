import { z } from "zod";
import { limits } from "../batch/limits.ts";

const after = z.string().optional().describe("The id of the last item that is known already.");

/** What a list of files is asked for with. */
export const fileListParams = z.strictObject({
  purpose: z.string().optional().describe("Only files of this purpose."),
  limit: limitOf(limits.fileList),
  order: z.enum(["asc", "desc"]).default("desc").describe("By the time of creation."),
  after,
});

/** What a list of batches is asked for with. */
export const batchListParams = z.strictObject({ limit: limitOf(limits.batchList), after });

/** 0 is allowed and asks for an empty page, as at OpenAI. */
function limitOf({ max, default: absent }: { max: number; default: number }) {
  return z.int().min(0).max(max).default(absent).describe("How many items a page has at most.");
}
