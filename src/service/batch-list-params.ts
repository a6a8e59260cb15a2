import { z } from "zod";
import { limits } from "../batch/limits.ts";
import { afterParam, limitParam } from "./list-params.ts";

/** Which batches of a list are asked for. */
export const batchListParams = z.strictObject({ limit: limitParam(limits.batchList), after: afterParam });
