import type { Row } from "./row.ts";
import { surfaceRows } from "./sections/section-01-surface.ts";
import { commonRows } from "./sections/section-02-common.ts";
import { paginationRows } from "./sections/section-02-pagination.ts";
import { fileContentRows } from "./sections/section-03-content.ts";
import { fileCreationRows } from "./sections/section-03-creating.ts";
import { fileRows } from "./sections/section-03-files.ts";
import { uploadRows } from "./sections/section-04-uploads.ts";
import { createRows } from "./sections/section-05-create.ts";
import { batchRows } from "./sections/section-06-batch.ts";
import { inputRows } from "./sections/section-07-input.ts";
import { validationRows } from "./sections/section-08-validation.ts";
import { resultRows } from "./sections/section-09-results.ts";
import { errorRows } from "./sections/section-10-errors.ts";
import { deliveryRows } from "./sections/section-11-deliveries.ts";
import { endpointRows } from "./sections/section-11-endpoints.ts";
import { eventRows } from "./sections/section-11-events.ts";
import { secretRows } from "./sections/section-11-secrets.ts";
import { clientRows } from "./sections/section-12-clients.ts";
import { azureRows } from "./sections/section-13-azure.ts";
import { limitRows } from "./sections/section-14-limits.ts";

/** The whole table, in the order of the contract. */
export const rows: readonly Row[] = [
  ...surfaceRows,
  ...commonRows,
  ...paginationRows,
  ...fileRows,
  ...fileCreationRows,
  ...fileContentRows,
  ...uploadRows,
  ...createRows,
  ...batchRows,
  ...inputRows,
  ...validationRows,
  ...resultRows,
  ...errorRows,
  ...eventRows,
  ...deliveryRows,
  ...endpointRows,
  ...secretRows,
  ...clientRows,
  ...azureRows,
  ...limitRows,
];
