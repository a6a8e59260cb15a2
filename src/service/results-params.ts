import { z } from "zod";

/** How the results of a batch are asked for in a URL. */
export const resultsParams = z.strictObject({
  follow: z.enum(["true", "false"]).default("false").describe("Go on until the batch is final."),
});
