import { NerifError } from "./errors.ts";

/** What there are pages of. */
export type Listed = "file" | "batch" | "webhook_endpoint";

const names: Record<Listed, { one: string; many: string }> = {
  file: { one: "file", many: "files" },
  batch: { one: "batch", many: "batches" },
  webhook_endpoint: { one: "endpoint", many: "webhook endpoints" },
};

/** The refusal of a page after something that there is not. */
export function noSuchCursor(kind: Listed, after: string): NerifError {
  const { one, many } = names[kind];
  const message = `Cannot list ${many} after '${after.slice(0, 80)}': there is no such ${one}`;
  return new NerifError("cursor_not_found", message, { param: "after" });
}
