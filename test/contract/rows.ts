import type { Row } from "./row.ts";
import { surfaceRows } from "./sections/section-01-surface.ts";
import { commonRows } from "./sections/section-02-common.ts";
import { paginationRows } from "./sections/section-02-pagination.ts";
import { fileRows } from "./sections/section-03-files.ts";
import { uploadRows } from "./sections/section-04-uploads.ts";
import { createRows } from "./sections/section-05-create.ts";
import { batchRows } from "./sections/section-06-batch.ts";

/** The whole table, in the order of the contract. */
export const rows: readonly Row[] = [
  ...surfaceRows,
  ...commonRows,
  ...paginationRows,
  ...fileRows,
  ...uploadRows,
  ...createRows,
  ...batchRows,
];
