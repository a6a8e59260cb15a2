import { z } from "zod";
import { limits } from "../batch/limits.ts";
import { afterParam, limitParam } from "./list-params.ts";

/** Which files of a list are asked for. */
export const fileListParams = z.strictObject({
  purpose: z
    .string()
    .nullish()
    .transform((purpose) => purpose ?? undefined)
    .describe("Only files of this purpose."),
  limit: limitParam(limits.fileList),
  order: z
    .enum(["asc", "desc"])
    .nullish()
    .meta({ default: "desc" })
    .transform((order) => order ?? "desc")
    .describe("By the time of creation."),
  after: afterParam,
});
