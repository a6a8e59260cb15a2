import type { Row } from "./row.ts";
import { surfaceRows } from "./sections/section-01-surface.ts";

/** The whole table, in the order of the contract. */
export const rows: readonly Row[] = [...surfaceRows];
